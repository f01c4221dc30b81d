from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from transformers import Trainer

from models.encoders import Encoder, load_encoder
from models.errors import UserError
from models.labels import IGNORED
from models.records import Example
from models.settings import AnnotateSettings, EncoderSettings, PredictSettings, Settings, TrainSettings
from train.adapt import MaskedModel, adapt, blocks, main, save

SENTENCES = [Example(f"a-{i}", "سه نفر گفت می گفت است", None, None, article=f"a{i % 6}") for i in range(60)]


def run(**train):
    return Settings(
        EncoderSettings("tiny"),
        AnnotateSettings(articles=("a",)),
        train=TrainSettings(batch_size=4, learning_rate=1e-2, evaluations=1, **train),
        predict=PredictSettings(window=16, overlap=4),
        name="adapt",
    )


def test_rows_are_full_and_in_order(tiny_tokenizer):
    rows = blocks(SENTENCES, tiny_tokenizer, 16)["input_ids"]
    assert {len(row) for row in rows} == {16}
    assert all(row[0] == tiny_tokenizer.cls_token_id for row in rows)
    text = tiny_tokenizer(SENTENCES[0].text, add_special_tokens=False)["input_ids"]
    assert rows[0][1 : 1 + len(text)] == text
    assert rows[0][1 + len(text)] == tiny_tokenizer.sep_token_id


def test_too_little_text(tiny_tokenizer):
    with pytest.raises(UserError, match="less than one row of 48"):
        blocks(SENTENCES[:1], tiny_tokenizer, 48)


def test_the_loss_is_that_of_the_whole_vocabulary_at_the_masked_tokens(tiny_encoder):
    torch.manual_seed(1)
    model = MaskedModel(tiny_encoder.config).eval()
    ids = torch.randint(5, 60, (2, 9))
    labels = torch.full_like(ids, IGNORED)
    labels[0, 3], labels[1, 5] = 7, 8
    loss = model(ids, torch.ones_like(ids), labels).loss
    logits = model.cls(model.bert(ids).last_hidden_state)
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_encoder_learns(tiny_encoder, tiny_tokenizer, tmp_path):
    encoder = Encoder(copy.deepcopy(tiny_encoder), tiny_tokenizer, "tiny", "MIT")
    before, after = adapt(run(max_steps=30), encoder, SENTENCES[:50], SENTENCES[50:], tmp_path / "checkpoints")
    assert after < 0.7 * before
    changed = [name for name, value in encoder.model.state_dict().items() if not torch.equal(value, tiny_encoder.state_dict()[name])]
    assert any("encoder.layer.0" in name for name in changed)
    assert not any("pooler" in name for name in changed)


def test_an_encoder_without_a_mask_is_refused(tiny_encoder, tiny_tokenizer, tmp_path):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.mask_token = None
    with pytest.raises(UserError, match="tiny has no mask token"):
        adapt(run(), Encoder(tiny_encoder, tokenizer, "tiny", "MIT"), SENTENCES, SENTENCES, tmp_path / "checkpoints")


def test_a_lost_network_is_no_encoder(tiny_encoder, tiny_tokenizer, tmp_path):
    encoder = Encoder(copy.deepcopy(tiny_encoder), tiny_tokenizer, "tiny", "MIT")
    lost = replace(run(max_steps=3), train=replace(run(max_steps=3).train, learning_rate=1e30))
    with pytest.raises(UserError, match=r"the loss of the held-out sentences is nan after training; lower train\.learning_rate"):
        adapt(lost, encoder, SENTENCES[:50], SENTENCES[50:], tmp_path / "checkpoints")
    assert all(torch.equal(a, b) for a, b in zip(encoder.model.parameters(), tiny_encoder.parameters(), strict=True))


def test_nothing_learnt_is_nothing_changed_and_a_resumed_run_is_the_same(tiny_encoder, tiny_tokenizer, tmp_path, monkeypatch):
    def adapted(settings):
        encoder = Encoder(copy.deepcopy(tiny_encoder), tiny_tokenizer, "tiny", "MIT")
        return adapt(settings, encoder, SENTENCES[:50], SENTENCES[50:], tmp_path / "checkpoints"), encoder.model.state_dict()

    still = run(max_steps=2)
    before, after = adapted(replace(still, train=replace(still.train, learning_rate=0.0)))[0]
    assert before == after
    longer = run(max_steps=6, keep="last")
    longer = replace(longer, train=replace(longer.train, evaluations=2))
    whole = adapted(longer)
    shutil.rmtree(tmp_path / "checkpoints")
    save = Trainer._save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_save_checkpoint", lambda *args, **_: save(*args) or Mock(side_effect=KeyboardInterrupt)())
        with pytest.raises(KeyboardInterrupt):
            adapted(longer)
    resumed = adapted(longer)
    assert resumed[0] == whole[0]
    assert all(torch.equal(resumed[1][name], value) for name, value in whole[1].items())


def test_more_than_one_process_is_refused(tiny_encoder, tiny_tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("train.processes.processes", lambda: SimpleNamespace(num_processes=2))
    with pytest.raises(UserError, match=r"adapt: an encoder is adapted in one process, and there are 2"):
        adapt(run(), Encoder(tiny_encoder, tiny_tokenizer, "tiny", "MIT"), SENTENCES, SENTENCES, tmp_path / "checkpoints")


def test_checkpoints_are_saved_as_asked(tiny_encoder, tiny_tokenizer, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Trainer, "_save_checkpoint", lambda trainer, *_, **__: saved.append(trainer.state.global_step))
    encoder = Encoder(copy.deepcopy(tiny_encoder), tiny_tokenizer, "tiny", "MIT")
    adapt(run(max_steps=4, keep="last", save_steps=2), encoder, SENTENCES[:50], SENTENCES[50:], tmp_path / "checkpoints")
    assert saved == [2, 4]


def test_what_is_no_encoder_is_not_replaced(tiny_encoder, tiny_tokenizer, tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something other than an encoder"):
        save(Encoder(tiny_encoder, tiny_tokenizer, "tiny", "MIT"), tmp_path / "encoder")
    assert (tmp_path / "encoder/notes.txt").read_text() == "mine"


def test_the_command_writes_an_encoder_that_loads(tiny_encoder, tiny_tokenizer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny_encoder.save_pretrained("tiny")
    tiny_tokenizer.save_pretrained("tiny")
    (tmp_path / "adapt.yaml").write_text(
        "encoder: {source: tiny}\nannotate: {articles: [x], output: weak.jsonl}\npredict: {window: 16, overlap: 4}\n"
        "train: {max_steps: 2, batch_size: 4, evaluations: 1}\n"
    )
    (tmp_path / "weak.jsonl").write_text("\n".join(json.dumps(e.to_dict()) for e in SENTENCES), encoding="utf-8")
    for _ in range(2):  # the second time over an encoder that is there
        assert main(["--config", "adapt.yaml"]) == 0
    (tmp_path / "adapt.yaml").rename("other.yaml")
    (tmp_path / "runs/other").write_text("a file")
    assert main(["--config", "other.yaml"]) == 2
    assert "perplexity" in capsys.readouterr().out
    assert load_encoder("runs/adapt/encoder").model.config.hidden_size == 16

"""The published folder: every door opens from outside, nothing is stored twice, and a failure leaves the old folder whole."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoTokenizer

from models.errors import UserError
from models.modeling import GozarehModel
from train import publish as publishing
from train.publish import code_files, main, publish

REPORT = {
    "name": "tiny",
    "base_model": "intfloat/multilingual-e5-small",
    "licence": "cc-by-sa-4.0",
    "settings": {"name": "tiny", "predict": {"window": 48, "overlap": 12, "claim_threshold": 0.5}},
    "versions": {"torch": "2.13.0"},
    "data": {},
}
TEXTS = ("۲۶ هزار معلول تحت پوشش هستند.", "حسینی، وزیر کار، گفت", "سامانه اشتغال امروز گشایش یافت")

DOORS = """
import json, sys
import torch
from transformers import AutoModel, pipeline

folder, texts = sys.argv[1], json.loads(sys.argv[2])
spans = pipeline("token-classification", folder, aggregation_strategy="simple", stride=12, device="cpu")
claims = pipeline("text-classification", folder + "/claim", top_k=None, device="cpu")
subfolder = pipeline("text-classification", folder, model_kwargs={"subfolder": "claim"}, top_k=None, device="cpu")
joint = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
both = pipeline("gozareh", folder, trust_remote_code=True, device="cpu")
batch = spans.tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    print(json.dumps({
        "logits": spans.model(**batch).logits.tolist(),
        "spans": [[(s["entity_group"], s["start"], s["end"]) for s in spans(text)] for text in texts],
        "claims": [{c["label"]: float(c["score"]) for c in row} for row in claims(texts)],
        "subfolder": [{c["label"]: float(c["score"]) for c in row} for row in subfolder(texts)],
        "joint_class": type(joint).__name__,
        "joint_logits": joint(**batch).logits.tolist(),
        "joint_claim_logits": joint(**batch).claim_logits.tolist(),
        "both": both(texts),
    }))
"""


@pytest.fixture(scope="module")
def published(tiny_model, tiny_tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "tiny"
    publish(tiny_model, tiny_tokenizer, folder, report=REPORT)
    return folder


@pytest.fixture(scope="module")
def joint(published):
    return GozarehModel.from_pretrained(published).eval()


@pytest.fixture(scope="module")
def output(published, joint):
    batch = AutoTokenizer.from_pretrained(published)(list(TEXTS), padding=True, return_tensors="pt")
    with torch.no_grad():
        return joint(**batch)


@pytest.fixture(scope="module")
def doors(published, tmp_path_factory):
    """What each door says in a process outside the checkout."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    env = {"PATH": os.environ["PATH"], "HOME": str(elsewhere), "HF_HOME": str(elsewhere / "hf"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-I", "-c", DOORS, str(published), json.dumps(TEXTS)]
    done = subprocess.run(command, cwd=elsewhere, env=env, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_stock_span_pipeline_has_the_joint_logits(doors, output):
    torch.testing.assert_close(torch.tensor(doors["logits"]), output.logits, atol=1e-4, rtol=0)


def test_the_stock_span_pipeline_names_our_span_types(doors, joint):
    found = [span for spans in doors["spans"] for span in spans]
    assert found
    assert {label for label, _, _ in found} <= set(joint.schema.span_types)


@pytest.mark.parametrize("door", ["claims", "subfolder"])
def test_the_stock_claim_pipeline_has_the_joint_scores(doors, output, joint, door):
    scores = torch.tensor([[row[claim] for claim in joint.schema.claims] for row in doors[door]])
    torch.testing.assert_close(scores, output.claim_logits.softmax(-1), atol=1e-4, rtol=0)


def test_auto_model_with_trust_is_the_joint_class(doors, output):
    assert doors["joint_class"] == "GozarehModel"
    torch.testing.assert_close(torch.tensor(doors["joint_logits"]), output.logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.tensor(doors["joint_claim_logits"]), output.claim_logits, atol=1e-4, rtol=0)


def test_the_one_pass_pipeline_with_trust_gives_both(doors, joint, output):
    for text, prediction, scores in zip(TEXTS, doors["both"], output.claim_logits.softmax(-1).tolist(), strict=True):
        (sentence,) = prediction["sentences"]
        assert all(text[span["start"] : span["end"]] == span["text"] for span in sentence["spans"])
        assert sentence["claim"]["scores"] == pytest.approx(dict(zip(joint.schema.claims, scores, strict=True)), abs=1e-3)


def test_both_tokenizers_give_the_same_ids(published, tiny_tokenizer):
    expected = tiny_tokenizer(list(TEXTS))["input_ids"]
    for folder in (published, published / "claim"):
        assert AutoTokenizer.from_pretrained(folder)(list(TEXTS))["input_ids"] == expected


def test_the_tokenizer_is_saved_at_rest(tiny_model, tiny_tokenizer, tmp_path):
    tiny_tokenizer(list(TEXTS), truncation=True, max_length=8, stride=2, padding=True)
    publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT)
    saved = json.loads((tmp_path / "m" / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved["truncation"] is None
    assert saved["padding"] is None
    assert AutoTokenizer.from_pretrained(tmp_path / "m").model_max_length <= tiny_model.config.max_position_embeddings


def test_the_encoder_is_stored_once_in_16_bits(published, tiny_model):
    stored = [path for path in published.rglob("*.safetensors") if not path.is_symlink()]
    two_heads = 2 * sum(p.numel() for name, p in tiny_model.named_parameters() if name.startswith("claim_classifier"))
    headers = 12_000 * len(stored)
    weights = 2 * sum(p.numel() for p in tiny_model.parameters()) + two_heads
    assert weights < sum(path.stat().st_size for path in stored) < weights + headers
    with safe_open(published / "encoder.safetensors", "pt") as file:
        assert not any(name.startswith("bert.embeddings.") for name in file.keys())  # noqa: SIM118
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118


def test_every_file_is_among_the_checksums(published):
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=published, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()) == {f"{path}: OK" for path in snapshot(published) if path != "SHA256SUMS"}


def test_weights_are_read_as_32_bits(published, joint):
    assert joint.dtype == torch.float32
    assert json.loads((published / "config.json").read_text())["dtype"] == "float32"


def test_links_stay_inside_the_folder(published):
    links = {str(path.relative_to(published)): path.readlink() for path in published.rglob("*") if path.is_symlink()}
    shared = ("embedding.safetensors", "encoder.safetensors", "tokenizer.json")
    assert links == {f"claim/{name}": Path("..") / name for name in shared}


def test_config_names_the_stock_classes_and_our_entries(published, tiny_model):
    config = json.loads((published / "config.json").read_text())
    assert config["architectures"] == ["BertForTokenClassification"]
    assert config["claim_id2label"] == {str(i): claim for i, claim in enumerate(tiny_model.schema.claims)}
    assert config["gozareh"] == {"format": 1} | REPORT["settings"]["predict"]
    claim = json.loads((published / "claim" / "config.json").read_text())
    assert claim["architectures"] == ["BertForSequenceClassification"]
    assert claim["id2label"] == config["claim_id2label"]
    assert "auto_map" not in claim


def test_a_model_without_claims_has_no_claim_folder(tiny_model, tiny_tokenizer, tmp_path):
    config = type(tiny_model.config).from_dict(tiny_model.config.to_dict() | {"claim_id2label": {}})
    publish(GozarehModel(config), tiny_tokenizer, tmp_path / "spans", report=REPORT)
    assert not (tmp_path / "spans" / "claim").exists()
    assert "text-classification" not in (tmp_path / "spans" / "README.md").read_text(encoding="utf-8").partition("## How")[2]


def test_the_code_files_import_nothing_that_does_not_travel():
    names = {path.stem for path in code_files()}
    assert {"modeling", "pipeline", "labels", "errors"} <= names
    assert all(set(publishing._relative_imports(path.read_text(encoding="utf-8"))) <= names for path in code_files())


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fail(_):
    raise RuntimeError("no more room")


def test_publishing_again_gives_the_same_bytes(tiny_model, tiny_tokenizer, tmp_path):
    publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT)
    before = snapshot(tmp_path / "m")
    publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT)
    assert snapshot(tmp_path / "m") == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_failure_on_the_way_leaves_the_old_folder(tiny_model, tiny_tokenizer, tmp_path):
    publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT)
    before = snapshot(tmp_path / "m")
    with pytest.raises(RuntimeError, match="no more room"):
        publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT | {"commit": "fff"}, export=fail)
    assert snapshot(tmp_path / "m") == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_killed_swap_is_mended_by_the_next_call(tiny_model, tiny_tokenizer, tmp_path):
    publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT)
    before = snapshot(tmp_path / "m")
    (tmp_path / "m").rename(tmp_path / ".m.old")
    with pytest.raises(RuntimeError):
        publish(tiny_model, tiny_tokenizer, tmp_path / "m", report=REPORT, export=fail)
    assert snapshot(tmp_path / "m") == before


def test_weights_that_16_bits_cannot_hold_are_refused(tiny_model, tiny_tokenizer, tmp_path):
    model = copy.deepcopy(tiny_model)
    with torch.no_grad():
        model.classifier.bias[0] = 1e6
    with pytest.raises(UserError, match="16 bits"):
        publish(model, tiny_tokenizer, tmp_path / "m", report=REPORT)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_other_things_is_not_replaced(tiny_model, tiny_tokenizer, tmp_path):
    (tmp_path / "letters.txt").touch()
    with pytest.raises(UserError, match="other than a published model"):
        publish(tiny_model, tiny_tokenizer, tmp_path, report=REPORT)
    assert (tmp_path / "letters.txt").exists()


def test_a_folder_that_misses_a_tensor_is_not_published(published, tiny_model, tmp_path, monkeypatch):
    weights = publishing._write_weights

    def forget_the_claim_head(folder, parts):
        weights(folder, {name: tensors for name, tensors in parts.items() if name != "claim_head.safetensors"})

    monkeypatch.setattr(publishing, "_write_weights", forget_the_claim_head)
    with pytest.raises(UserError, match="claim_classifier"):
        publish(tiny_model, AutoTokenizer.from_pretrained(published), tmp_path / "m", report=REPORT)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(published, tmp_path):
    folder = tmp_path / "runs" / "tiny"
    shutil.copytree(published, folder / "published", symlinks=True)
    (folder / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    return folder


def test_the_command_publishes_a_run(run, published, tmp_path, capsys):
    assert main([str(run), "--to", str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out") in capsys.readouterr().out
    assert snapshot(tmp_path / "out") == snapshot(published)


def test_a_folder_whose_own_code_fails_replaces_nothing(run, tmp_path, monkeypatch, capsys):
    """As where a module that the others need does not travel with them."""
    main([str(run), "--to", str(tmp_path / "out")])
    before = snapshot(tmp_path / "out")
    monkeypatch.setattr(publishing, "code_files", lambda: [path for path in code_files() if path.stem != "numerals"])
    assert main([str(run), "--to", str(tmp_path / "out")]) == 1
    assert "its own code fails" in capsys.readouterr().err
    assert snapshot(tmp_path / "out") == before


@pytest.mark.parametrize(("of", "told"), [({}, True), ({"seed": 14}, False), (None, False)])
def test_the_command_adds_the_cross_validation_to_the_card_where_it_is_of_the_runs_settings(run, tmp_path, capsys, of, told):
    figures = {"mean": {"micro F1": 0.625}, "spread": {"micro F1": 0.125}, "seeds": [{}, {}]}
    figures |= {} if of is None else {"settings": REPORT["settings"] | of}
    (run / "cross_validation.json").write_text(json.dumps(figures))
    assert main([str(run), "--to", str(tmp_path / "out")]) == 0
    assert ("| micro F1 | 0.625 | 0.125 |" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")) == told
    assert ("cross_validation.json: of other settings" in capsys.readouterr().err) != told


def test_the_samples_of_a_run_on_others_labels_are_its_own(tiny_tokenizer, tmp_path):
    (tmp_path / "train.txt").write_text("علی|B_PER\nرفت|O\n\nقم|B_LOC\n", encoding="utf-8")
    of_run = {"seed": 13, "data": {"train": [str(tmp_path / "train.txt")]}, "annotate": {"output": "runs/peyma/weak.jsonl"}}
    samples = publishing._samples({"settings": REPORT["settings"] | of_run}, tiny_tokenizer)
    expected = tiny_tokenizer(["علی رفت", "قم"])["input_ids"]
    assert sorted(ids.tolist() for ids in samples) == sorted(expected)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("report.json", "", "report.json, line 1: not valid JSON"),
        ("report.json", "[]", "a JSON list, not an object; train the run again"),
        ("report.json", "{}", "no field 'name'"),
        ("published/config.json", "{", "not valid JSON"),
        ("published/encoder.safetensors", "cut", "cannot be loaded"),
    ],
)
def test_a_broken_run_is_one_clear_line(run, capsys, path, content, message):
    (run / path).write_text(content)
    assert main([str(run), "--to", str(run / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.count("error: ") == 1
    assert not (run / "out").exists()


@pytest.mark.parametrize("path", ["report.json", "published/config.json", "published/span_head.safetensors", "published/tokenizer.json"])
def test_a_run_that_is_not_whole_is_one_clear_line(run, capsys, path):
    (run / path).unlink()
    assert main([str(run), "--to", str(run / "out")]) == 2
    assert Path(path).name in capsys.readouterr().err

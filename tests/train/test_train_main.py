"""The whole path at a few steps: seed articles -> weak labels -> trained model -> published folder -> prediction."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.__main__ import main as annotate
from models.predict import main as predict
from models.records import digest, read_examples, write_examples
from train.__main__ import main as train
from train.cross_validate import main as cross_validate

CONFIG = ["--config", "configs/tiny.yaml", "encoder.source=encoder", "encoder.trim=false", "predict.overlap=16", "predict.window=64"]


def test_from_seeds_to_a_prediction(workplace, capsys):
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    assert train(CONFIG) == 0
    out = capsys.readouterr().out
    assert "seeds/gold.jsonl: 82 sentences" in out
    assert "A sample prediction" in out
    report = json.loads((workplace / "runs/tiny/report.json").read_text(encoding="utf-8"))
    assert report["data"]["corpora"] == [{"name": "seeds/articles", "licence": "none stated", "sentences": 61}]
    assert {path.name for path in (workplace / "runs/tiny/plots").iterdir()} == {
        f"{name}.png" for name in ("confusion", "coverage", "f1_by_label", "learning_curve", "reliability")
    }

    article = next((workplace / "seeds/articles").glob("001*"))
    assert predict(["--input", str(article), "--model", "runs/tiny/published", "--format", "jsonl", "--device", "cpu"]) == 0
    (prediction,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert prediction["text"] == article.read_text(encoding="utf-8")
    for sentence in prediction["sentences"]:
        assert prediction["text"][sentence["start"] : sentence["end"]] == sentence["text"]
        assert all(prediction["text"][span["start"] : span["end"]] == span["text"] for span in sentence["spans"])


def test_minutes_are_told_where_one_call_took_them_all(workplace):
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    told = []
    for _ in range(2):
        assert train([*CONFIG, "train.max_steps=1", "train.evaluations=1"]) == 0
        told.append(json.loads((workplace / "runs/tiny/report.json").read_text(encoding="utf-8"))["minutes"])
    assert told[0] is not None
    assert told[1] is None


def test_windows_too_long_for_the_encoder_are_told_before_training(workplace, capsys):
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    assert train([*CONFIG, "predict.window=65"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "error: predict.window: 65 tokens, and encoder reads 64 at most; lower it"
    assert not (workplace / "runs/tiny/checkpoints").exists()


def test_cross_validation_writes_mean_and_spread(workplace, capsys):
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    assert cross_validate([*CONFIG, "train.max_steps=1", "train.evaluations=1", "--seeds", "1"]) == 0
    result = json.loads((workplace / "runs/tiny/cross_validation.json").read_text(encoding="utf-8"))
    assert len(result["seeds"]) == 1
    assert (result["settings"]["name"], result["settings"]["train"]["max_steps"]) == ("tiny", 1)
    assert result["seeds"][0]["sentences"] == len(read_examples("seeds/gold.jsonl"))
    assert "micro F1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "configs/tiny.yaml"], "runs/tiny/weak.jsonl: no such file"),
        (["--config", "none.yaml"], "none.yaml: no such file"),
        (["--config", "configs/tiny.yaml", "train.step=1"], "unknown key"),
        ([], "--config"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(workplace, capsys, arguments, message):
    assert train(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (workplace / "runs").exists()


def test_what_was_read_trains_last_and_is_told_on_the_card_with_what_was_written(workplace):
    gold = [example for example in read_examples("seeds/gold.jsonl") if example.claim]
    reviews = [{"sentence": digest(example.text), "claim": example.claim} for example in gold]
    Path("reviews.jsonl").write_text("\n".join(map(json.dumps, reviews)), encoding="utf-8")
    assert annotate(["--config", "configs/tiny.yaml", "annotate.reviews=[reviews.jsonl]", "annotate.review_weight=2"]) == 0
    write_examples("written.jsonl", [replace(example, id=f"written#{i}") for i, example in enumerate(gold[:7])])
    assert train([*CONFIG, "review.epochs=1", "self_training.rounds=1", "train.written=[written.jsonl]"]) == 0
    folders = {str(path.parent.relative_to("runs/tiny/checkpoints")) for path in Path("runs/tiny/checkpoints").rglob("fingerprint")}
    assert folders == {"round-0", "reviewed/run-0", "round-1"}
    report = json.loads(Path("runs/tiny/report.json").read_text(encoding="utf-8"))
    assert report["data"]["reviewed"] > 50
    assert report["data"]["written"] == 7
    card = Path("runs/tiny/published/README.md").read_text(encoding="utf-8")
    assert f"{report['data']['reviewed']} were also read one by one" in card
    assert "7 more sentences, labelled one by one" in card
    assert "trained anew, 1 time," in card

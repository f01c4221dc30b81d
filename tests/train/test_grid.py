from __future__ import annotations

import json

import pytest

from annotate.__main__ import main as annotate
from models.errors import UserError
from train.grid import combinations, main, table


def test_every_combination_once():
    assert combinations(["seed=13,14,13", "train.learning_rate=1e-4,2e-4"]) == [
        ("seed=13", "train.learning_rate=1e-4"),
        ("seed=13", "train.learning_rate=2e-4"),
        ("seed=14", "train.learning_rate=1e-4"),
        ("seed=14", "train.learning_rate=2e-4"),
    ]


def test_commas_in_brackets_part_nothing():
    assert combinations(["train.held_out=[a, b],[c],[]"]) == [("train.held_out=[a, b]",), ("train.held_out=[c]",), ("train.held_out=[]",)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed"], "expected key=value,value"),
        (["seed=1,2", "seed=3"], "'seed' is given twice"),
        (["annotate.label_model=majority,hmm"], "the weak labels are made before"),
    ],
)
def test_mistakes_in_choices(arguments, message):
    with pytest.raises(UserError, match=message):
        combinations(arguments)


def test_a_grid_runs_whole_and_only_once(workplace, tiny_run, capsys):
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    capsys.readouterr()
    assert main([*tiny_run, "seed=13,14"]) == 0
    printed = capsys.readouterr().out
    folder = workplace / "runs/tiny/grid"
    assert (folder / "table.md").read_text(encoding="utf-8") in printed
    runs = [path for path in folder.iterdir() if path.is_dir()]
    assert len(runs) == 2
    assert all((path / "published/config.json").is_file() and not (path / "checkpoints").exists() for path in runs)
    rows = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    assert [row["settings"][-1] for row in rows] == ["seed=13", "seed=14"]

    before = {path: (path / "report.json").stat().st_mtime_ns for path in runs}
    assert main([*tiny_run, "seed=14,13"]) == 0
    assert {path: (path / "report.json").stat().st_mtime_ns for path in runs} == before
    again = capsys.readouterr().out
    lines = [[line for line in out.splitlines() if line.startswith("|")] for out in (printed, again)]
    assert lines[0][0].startswith("| seed | held out | seeds/gold.jsonl: micro F1 |")
    assert sorted(lines[0]) == sorted(lines[1])


def test_a_grid_on_others_labels_has_their_types(workplace, tiny_run, capsys):
    (workplace / "peyma").mkdir()
    for name in ("train", "dev", "test"):
        (workplace / f"peyma/{name}.txt").write_text("علی|B_PER\nرفت|O\n\n" * 8, encoding="utf-8")
    assert main(["--config", "configs/peyma.yaml", *tiny_run[2:], "seed=13"]) == 0
    assert "| peyma/test.txt: micro F1 |" in capsys.readouterr().out


def test_the_best_comes_first():
    def metrics(f1):
        claims = {"count": 0, "macro_f1": 0.0, "accuracy": 0.0, "ece": 0.0}
        spans = {label: {"f1": f1} for label in ("PERSON", "ROLE", "NUMBER", "PROGRAM", "micro")}
        report = {"spans": spans, "partial": spans, "claims": claims, "sentence_accuracy": 0.0}
        return {"held-out labels": report, "gold": report}

    lines = table({("seed=1",): metrics(0.25), ("seed=2",): metrics(0.5)}).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")][:3] == ["seed", "held out", "gold: micro F1"]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["2", "1"]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["train.step=1,2"], "unknown key"),
        (["seed=13,x"], "'seed=x'"),
        (["seed=13,"], "'seed='"),
        ([], "key=value,value"),
        (["seed=13,14"], "weak.jsonl"),
    ],
)
def test_a_mistake_is_one_line_before_anything_trains(workplace, capsys, choices, message):
    assert main(["--config", "configs/tiny.yaml", *choices]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (workplace / "runs").exists()

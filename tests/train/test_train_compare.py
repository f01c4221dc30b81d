"""Rules, label models and students in one table: who learns from what, and the two commands one after the other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import train.compare
from annotate.__main__ import main as annotate
from annotate.compare import main as annotate_compare
from models import settings
from models.errors import UserError
from models.files import to_json
from models.predictor import load
from models.records import Example, Span, read_examples, write_examples
from train.compare import compare, lessons, main, on_unseen
from train.readings import Rules, as_read

GOLD = read_examples("seeds/gold.jsonl")
OTHER = [Example("z-1", "۴۰ مهدکودک در این شهر وجود دارد.", (Span("NUMBER", 0, 2, "۴۰"),), "STATISTIC", article="z")]
WEAK = [replace(e, claim=e.claim if e.claim != "NONE" else None, claim_scores={"POLICY": 0.5}, spans=e.spans[:1]) for e in GOLD]
KINDS = ("student on weak labels", "student on gold", "student on both")


def test_gold_goes_before_weak_labels_sentence_by_sentence():
    weak, gold, both = lessons([*WEAK[2:], *OTHER], GOLD[1:4]).values()
    assert weak == [*WEAK[2:], *OTHER]
    assert gold == GOLD[1:4]
    assert both == [*GOLD[2:4], *WEAK[4:], *OTHER, GOLD[1]]


class Read:
    """Stands for training and reading: reads what is there, and notes who was taught what."""

    def __init__(self):
        self.cells = []

    def __call__(self, run, training, held_out, unseen):
        self.cells.append((run.seed, training, held_out, unseen))
        return [as_read(WEAK[GOLD.index(e)] if e in GOLD else e) for e in unseen]


@pytest.fixture
def run(tmp_path):
    write_examples(tmp_path / "weak.jsonl", WEAK)
    return settings.load("configs/tiny.yaml", [f"annotate.output={tmp_path / 'weak.jsonl'}"])


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.jsonl"
    systems = {"persons": [replace(e, claim=None, claim_scores=None) for e in WEAK], "majority": WEAK}
    rows = [{"system": name} | e.to_dict() for name, examples in systems.items() for e in (*examples, *OTHER)]
    path.write_text("\n".join(map(to_json, rows)), encoding="utf-8")
    return Rules(path)


def test_no_student_sees_the_article_it_reads_nor_trains_on_the_one_that_chooses_it(run, rules):
    read = Read()
    own, other = compare(run, rules, {"own": GOLD, "other": OTHER}, {}, 2, read)
    assert list(own.rows) == list(other.rows) == ["persons", "majority", *KINDS]
    assert own.learned == list(KINDS)
    assert len(read.cells) == 3 * (2 * 5 + 2)
    for _, training, held_out, unseen in read.cells:
        parts = [{e.article for e in part} for part in (training, held_out, unseen)]
        assert sum(map(len, parts)) == len(set().union(*parts))
    left_out = [cell for cell in read.cells if cell[3] != OTHER]
    assert {seed for seed, *_ in left_out} == {13, 14}
    kinds = [{e in GOLD for _, training, *_ in left_out[i : i + 10] for e in training} for i in (0, 10, 20)]
    assert kinds == [{False}, {True}, {True}]
    assert all(
        {e.article for e in (*training, *held_out)} == {e.article for e in GOLD}
        for _, training, held_out, unseen in read.cells
        if unseen == OTHER
    )


def test_what_measures_does_not_train(run):
    read = Read()
    on_unseen(run, [*GOLD, *OTHER], OTHER, 1, read)
    ((_, training, held_out, _),) = read.cells
    assert not {"z"} & {e.article for e in (*training, *held_out)}


def test_a_dash_stands_for_what_a_system_does_not_give(run, rules):
    (own,) = compare(run, rules, {"own": GOLD}, {}, 1, Read())
    table, gains = own.to_markdown().split("\n\n")
    (persons,) = (line for line in table.splitlines() if line.startswith("| persons"))
    assert [cell.strip() for cell in persons.strip("|").split("|")][-3:] == ["–"] * 3
    assert gains.splitlines()[0].startswith("| gain over majority, 5,000 draws")
    assert len({line.count("|") for line in table.splitlines()}) == 1
    assert own.to_dict()["gains"]["student on both"]["span micro-F1"] == {"mean": 0, "low": 0, "high": 0, "above": 0}


def test_the_label_model_must_have_read(run, rules):
    with pytest.raises(UserError, match="no readings of the run's label model, hmm"):
        compare(replace(run, annotate=replace(run.annotate, label_model="hmm")), rules, {"own": GOLD}, {}, 1, Read())


def test_several_folders_under_one_name_are_its_seeds(run, rules, tiny_folder):
    model = load(tiny_folder, device="cpu")
    (own,) = compare(run, rules, {"own": GOLD}, {"ours": [model, model]}, 1, Read())
    assert len(own.rows["ours, nothing left out"]) == 2
    assert "ours, nothing left out" in own.gains


@pytest.mark.parametrize("name", ["majority", KINDS[0]])
def test_no_model_takes_the_place_of_another_row(run, rules, tiny_folder, name):
    with pytest.raises(UserError, match=f"--model: '{name}' is a row of the table already"):
        compare(run, rules, {"own": GOLD, "other": OTHER}, {name: [load(tiny_folder, device="cpu")]}, 1, lambda *_: pytest.fail("trained"))


def test_the_two_commands_from_seeds_to_table_and_again(workplace, tiny_folder, capsys, monkeypatch):
    write_examples("other.jsonl", OTHER)
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    assert annotate_compare(["--config", "configs/tiny.yaml", "--gold", "other.jsonl"]) == 0
    capsys.readouterr()
    untrained = load(tiny_folder, device="cpu")
    monkeypatch.setattr(train.compare, "train_and_read", lambda run, _, __, unseen: untrained.read([e.text for e in unseen]))
    command = ["--config", "configs/tiny.yaml", "--seeds", "2", "--model", f"long={tiny_folder}", "--gold", "other.jsonl"]
    assert main(command) == 0
    written = (workplace / "runs/tiny/comparison.md").read_text(encoding="utf-8")
    assert written in capsys.readouterr().out
    record = json.loads((workplace / "runs/tiny/comparison.json").read_text(encoding="utf-8"))
    systems = ["persons", "roles", "numbers", "programs", "claims", "majority", "dawid-skene", "hmm", *KINDS]
    assert [list(of["rows"]) for of in record["comparisons"]] == [[*systems, "long, nothing left out"], [*systems, "long"]]
    assert [len(of["seeds"]) for of in record["comparisons"][0]["rows"].values()] == [1] * 8 + [2] * 3 + [1]

    monkeypatch.setattr(train.compare, "train_and_read", lambda *_: pytest.fail("trained again"))
    assert main(command) == 0
    assert (workplace / "runs/tiny/comparison.md").read_text(encoding="utf-8") == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "configs/tiny.yaml"], "runs/tiny/rules.jsonl: no readings of the rules; run `python -m annotate.compare`"),
        (["--config", "configs/tiny.yaml", "--gold", "seeds/gold.jsonl"], "measured already"),
        (["--config", "configs/tiny.yaml", "--gold", "none.jsonl"], "none.jsonl: no such file"),
        (["--config", "configs/peyma.yaml"], "missing key 'annotate.gold'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(workplace, capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_model_is_named_with_its_folder(workplace, rules, capsys):
    assert main(["--config", "configs/tiny.yaml", "--rules", str(rules.path), "--model", "runs/x"]) == 2
    assert "--model: 'runs/x' is not NAME=FOLDER" in capsys.readouterr().err

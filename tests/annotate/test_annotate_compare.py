"""What each system reads in gold's sentences, as ``train.compare`` finds it."""

from __future__ import annotations

import json

import pytest

from annotate import label_model
from annotate.compare import LABEL_MODELS, SPAN_SETS, main, readings
from annotate.functions import SPAN_FUNCTIONS
from annotate.report import gold_scores
from annotate.voting import sentences_of_examples, vote
from models.records import Example, read_examples

TEXT = "به گزارش روابط عمومی، علی رضایی، مدیرکل بهزیستی استان یزد، گفت: ۲۶ هزار سالمند در این استان تحت پوشش هستند."
GOLD = [Example("a-1", TEXT, (), "POLICY", article="a")]


@pytest.fixture(scope="module")
def read() -> dict[str, list[Example]]:
    return dict(readings([], list(sentences_of_examples(GOLD))))


def test_every_set_and_model_has_its_say(read):
    assert list(read) == [*SPAN_SETS, "claims", *LABEL_MODELS]
    assert {function for functions in SPAN_SETS.values() for function in functions} == set(SPAN_FUNCTIONS)
    assert {system: {span.label for span in examples[0].spans or ()} for system, examples in read.items()} == {
        "persons": {"PERSON"},
        "roles": {"ROLE"},
        "numbers": {"NUMBER"},
        "programs": set(),
        "claims": set(),
        **{model: {"PERSON", "ROLE", "NUMBER"} for model in LABEL_MODELS},
    }
    assert {system for system, (example,) in read.items() if example.claim} == {"claims", *LABEL_MODELS}
    assert [system for system, (example,) in read.items() if example.spans is None] == ["claims"]


def test_gold_is_read_and_not_looked_at(read):
    assert read["majority"][0].claim == "STATISTIC"


def test_the_majority_is_that_of_the_report():
    gold = read_examples("seeds/gold.jsonl")
    asked = list(sentences_of_examples(gold))
    majority = label_model.fit("majority", [])
    expected = [label_model.example(ballot, majority) for article in asked for ballot in vote(article)]
    found = dict(readings([], asked))["majority"]
    assert gold_scores(gold, found).to_dict() == gold_scores(gold, expected).to_dict()


def test_the_command_writes_a_line_a_system_and_sentence(tmp_path, capsys):
    (tmp_path / "yazd.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "run.yaml").write_text(f"encoder: {{source: none}}\nannotate: {{articles: [{tmp_path / 'yazd.txt'}]}}\n", encoding="utf-8")
    output = tmp_path / "rules.jsonl"
    assert main(["--config", str(tmp_path / "run.yaml"), "--gold", "seeds/gold.jsonl", "--output", str(output)]) == 0
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    sentences = len(read_examples("seeds/gold.jsonl"))
    assert [row["system"] for row in rows[::sentences]] == [*SPAN_SETS, "claims", *LABEL_MODELS]
    assert len(rows) == 8 * sentences
    assert f"{sentences} sentences of seeds/gold.jsonl" in capsys.readouterr().err


def test_without_gold_there_is_nothing_to_read(tmp_path, capsys):
    (tmp_path / "run.yaml").write_text("encoder: {source: none}\nannotate: {articles: [seeds/articles]}\n", encoding="utf-8")
    assert main(["--config", str(tmp_path / "run.yaml")]) == 2
    assert "no gold to read" in capsys.readouterr().err

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from annotate.reviews import read_reviews
from models.labels import CLAIMS, Schema
from models.predictor import Predictor, load
from models.records import Claim, Example, PredictedSentence, Span, digest, read_examples, write_examples
from models.text import words
from train.suspects import claim_doubts, main, span_doubts, suspects

pytest.importorskip("cleanlab")
pytestmark = pytest.mark.filterwarnings("ignore:May not flag all label issues")  # few words, so few of some tags

SCHEMA = Schema()
TEXT = "علی رضایی گفت ۳۰ نفر"
SPANS = (Span("PERSON", 0, 9, "علی رضایی"), Span("NUMBER", 14, 16, "۳۰"))
WEAK = [Example(f"a-{i}", TEXT, SPANS, claim, article="a") for i, claim in zip(range(30), cycle(CLAIMS), strict=False)]


def read_claim(label):
    scores = dict.fromkeys(CLAIMS, 0.05) | {label: 0.9}
    return PredictedSentence(0, len(TEXT), TEXT, Claim(label, 0.9, scores), SPANS)


READ = [read_claim(example.claim) for example in WEAK]


def tags(*labels):
    """The words' tags of TEXT with 0.9 each."""
    probabilities = np.full((5, len(SCHEMA.tags)), 0.1 / (len(SCHEMA.tags) - 1))
    probabilities[range(5), [SCHEMA.tags.index(label) for label in labels]] = 0.9
    return words(TEXT), probabilities


RIGHT = tags("B-PERSON", "I-PERSON", "O", "B-NUMBER", "O")


def test_the_one_wrong_claim_is_found():
    assert not claim_doubts(WEAK, READ, SCHEMA)
    wrong = [*WEAK[:4], replace(WEAK[4], claim="POLICY"), *WEAK[5:]]
    assert claim_doubts(wrong, READ, SCHEMA) == {4: pytest.approx(0.05)}


def test_sentences_without_a_claim_are_not_asked_of():
    left = [replace(WEAK[0], claim=None), replace(WEAK[1], claim="NONE")]
    assert not claim_doubts(left, READ[:2], SCHEMA)


def test_claims_all_of_one_class_are_not_asked_of():
    assert not claim_doubts([replace(example, claim="POLICY") for example in WEAK], READ, SCHEMA)


def test_nor_are_words_all_of_one_tag():
    assert not span_doubts([replace(example, spans=()) for example in WEAK], [tags("O", "O", "O", "O", "O")] * 30, SCHEMA)


def test_the_one_wrong_span_is_found_but_not_in_an_unsure_stretch():
    assert not span_doubts(WEAK, [RIGHT] * 30, SCHEMA)
    short = replace(WEAK[7], spans=(replace(SPANS[0], end=3, text="علی"), SPANS[1]))
    wrong = [*WEAK[:7], short, *WEAK[8:]]
    (found,) = span_doubts(wrong, [RIGHT] * 30, SCHEMA)
    assert found == 7
    assert not span_doubts([*WEAK[:7], replace(short, unsure=((4, 9),)), *WEAK[8:]], [RIGHT] * 30, SCHEMA)
    assert not span_doubts([replace(WEAK[0], spans=None)], [RIGHT], SCHEMA)


@pytest.fixture
def weak(tmp_path, monkeypatch):
    """Weak labels of articles a to f where one sentence is not what the model says, and a run of them."""
    weak = [
        replace(e, id=f"{article}-{e.id}", text=f"{e.text} {article} {i}", article=article)
        for article in "abcdef"
        for i, e in enumerate(WEAK)
    ]
    weak[100] = replace(weak[100], claim="ANNOUNCEMENT" if weak[100].claim != "ANNOUNCEMENT" else "POLICY")
    write_examples(tmp_path / "weak.jsonl", weak)
    monkeypatch.setattr(Predictor, "read", lambda self, texts: [READ[i % 30] for i in range(len(texts))])
    monkeypatch.setattr(Predictor, "word_probabilities", lambda self, texts: [RIGHT] * len(texts))
    return weak


def test_a_row_filled_in_is_a_review(weak, tmp_path, tiny_folder, capsys):
    config = tmp_path / "run.yaml"
    config.write_text("encoder: {source: none}\nannotate: {articles: [none], output: weak.jsonl}\n", encoding="utf-8")
    output = tmp_path / "suspects.jsonl"
    options = ["--config", str(config), "--model", str(tiny_folder), "--output", str(output), f"annotate.output={tmp_path / 'weak.jsonl'}"]
    assert main(options) == 0
    (row,) = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["score"], row["doubts"]) == (weak[100].id, 0.05, {"claim": 0.05})
    assert (row["weak"]["claim"], row["model"]["claim"]) == (weak[100].claim, WEAK[10].claim)
    assert row["held_out"] is (weak[100].article == "e")
    assert "1 of 180 sentences" in capsys.readouterr().out

    (review,) = read_reviews([output]).values()
    assert (review.claim, review.types) == (None, ())
    row |= {"claim": "POLICY", "types": ["NUMBER"], "entities": [{"start": 14, "end": 16, "label": "NUMBER"}]}
    answered = tmp_path / "answered.jsonl"
    answered.write_text(json.dumps(row), encoding="utf-8")
    assert read_reviews([answered])[digest(weak[100].text)].claim == "POLICY"

    assert main([*options, f"annotate.reviews=[{answered}]"]) == 0
    assert "of 179 sentences" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [{"claim": "NONE"}, {"types": ["ROLE"]}])
def test_answers_are_not_lost_to_the_next_call(weak, tmp_path, capsys, answer):
    output = tmp_path / "suspects.jsonl"
    rows = [{"sentence": digest(example.text), "claim": None, "types": [], "entities": []} for example in weak[:2]]
    text = "".join(json.dumps(row) + "\n" for row in (rows[0], rows[1] | answer))
    output.write_text(text, encoding="utf-8")
    assert main(["--config", "configs/tiny.yaml", "--output", str(output), f"annotate.output={tmp_path / 'weak.jsonl'}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {output}, line 2: holds an answer; move the file")
    assert output.read_text(encoding="utf-8") == text


def test_the_worst_come_first(weak, tiny_model, tiny_tokenizer):
    predictor = Predictor.of(tiny_model, tiny_tokenizer, None)
    examples = [replace(e, spans=(Span("ROLE", 14, 16, "۳۰"),)) if i == 3 else e for i, e in enumerate(weak)]
    rows = suspects(examples, predictor)
    assert [row["id"] for row in rows] == [weak[3].id, weak[100].id]
    assert rows[0]["score"] < rows[1]["score"]


def test_a_real_model_reads_the_weak_labels(tiny_folder):
    gold = read_examples("seeds/gold.jsonl")
    predictor = load(tiny_folder, device="cpu")
    read = predictor.word_probabilities([e.text for e in gold])
    assert all(p.shape == (len(ranges), 9) for ranges, p in read)
    assert all(np.allclose(p.sum(axis=1), 1) for _, p in read)
    rows = suspects(gold, predictor)
    assert rows
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)


@pytest.mark.parametrize(("arguments", "message"), [(["--config", "none.yaml"], "none.yaml: no such file"), ([], "--config")])
def test_a_mistake_is_one_line_and_exit_2(capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

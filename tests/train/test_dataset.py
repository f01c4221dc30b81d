from __future__ import annotations

import pytest
from transformers import BertTokenizerFast

from models import settings
from models.errors import UserError
from models.labels import IGNORED, Schema
from models.records import Example, PredictedSentence, Span, write_examples
from models.settings import PredictSettings
from train.dataset import read_labelled, split_by_article, to_rows, trusted, written
from train.evaluate import score

SCHEMA = Schema()
READING = PredictSettings(window=16, overlap=4)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    letters = "ابپتحخدرزسشعفقکگلمنوهی۳"
    path = tmp_path_factory.mktemp("tokenizer") / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *("##" + c for c in letters)]), encoding="utf-8")
    return BertTokenizerFast(str(path))


def example(id, text="سه نفر", **kwargs):
    return Example(id, text, **({"spans": (), "claim": "POLICY", "article": id.split("-")[0]} | kwargs))


def test_articles_are_never_split():
    examples = [example(f"{article}-{i}") for article in "abcdef" for i in range(3)]
    training, held_out = split_by_article(examples)
    assert {e.article for e in held_out} == {"e"}
    assert {e.article for e in training} == set("abcdf")
    assert {e.article for e in split_by_article(examples, ("a", "b"))[1]} == {"a", "b"}


@pytest.mark.parametrize(
    ("held_out", "message"), [(("z",), "no example is of article 'z'"), (("a",), "none to train on"), ((), "add articles")]
)
def test_impossible_splits(held_out, message):
    with pytest.raises(UserError, match=message):
        split_by_article([example("a-1")], held_out)


def test_written_sentences_are_trained_on_and_none_is_held_out(tmp_path):
    weak, written = tmp_path / "weak.jsonl", tmp_path / "written.jsonl"
    run = settings.load("configs/tiny.yaml", [f"annotate.output={weak}", "annotate.review_weight=3", f"train.written=[{written}]"])
    write_examples(weak, [example(f"{article}-{i}") for article in "abcdef" for i in range(3)])
    write_examples(written, [example(f"w{i}-1", "پنج نفر", claim="STATISTIC") for i in range(10)])
    labelled = read_labelled(run)
    assert {e.article for e in labelled.held_out} == {"e"}
    assert [(e.id, e.weight) for e in labelled.training if e.text == "پنج نفر"] == [(f"w{i}-1", 3.0) for i in range(10)]


def test_a_type_that_training_lacks_counts_as_missed_where_it_is_measured(tmp_path):
    paths = [tmp_path / name for name in ("train.txt", "dev.txt", "test.txt")]
    for path, label in zip(paths, ("PER", "LOC", "ORG"), strict=True):
        path.write_text(f"علی|B_PER\nتهران|B_{label}\n", encoding="utf-8")
    overrides = [f"data.{name}=[{path}]" for name, path in zip(("train", "held_out", "test"), paths, strict=True)]
    labelled = read_labelled(settings.load("configs/peyma.yaml", overrides))
    assert labelled.schema.span_types == ("LOC", "ORG", "PER")
    (gold,) = labelled.gold.values()
    nothing = [PredictedSentence(0, len(e.text), e.text, None, ()) for e in gold]
    assert score(gold, nothing, labelled.schema.span_types)["spans"]["micro"]["gold"] == 2


@pytest.mark.parametrize("weak", [{"claim": None}, {"spans": None}, {"claim_scores": {"POLICY": 0.9}}])
def test_written_sentences_have_labels_by_hand(tmp_path, weak):
    path = tmp_path / "written.jsonl"
    write_examples(path, [example("w-1"), example("w-2", **weak)])
    with pytest.raises(UserError, match=r"written.jsonl, sentence w-2: needs 'entities' and a 'claim' without 'claim_scores'"):
        written(settings.load("configs/tiny.yaml", [f"train.written=[{path}]"]))


def test_unlabelled_heads_are_masked(tokenizer):
    rows = to_rows([example("a-1", spans=None), example("a-2", claim=None)], tokenizer, SCHEMA, READING)
    assert set(rows[0].labels) == {IGNORED}
    assert rows[0].claim == (0, 0, 1)
    assert set(rows[1].labels) == {IGNORED, 0}
    assert rows[1].claim == (0, 0, 0)


def test_a_hand_label_none_prefers_no_class(tokenizer):
    (row,) = to_rows([example("a-1", claim="NONE")], tokenizer, SCHEMA, READING)
    assert row.claim == (1 / 3, 1 / 3, 1 / 3)


def test_where_enough_is_labelled_by_hand_weak_claims_are_masked():
    weak = example("a-1", claim="POLICY", claim_scores={"POLICY": 0.9})
    hand = example("a-2", claim="STATISTIC")
    assert trusted([weak, hand]) == [weak, hand]
    masked, *rest = trusted([weak, *[hand] * 60])
    assert (masked.claim, masked.claim_scores, masked.spans) == (None, None, weak.spans)
    assert rest == [hand] * 60


def test_a_long_sentence_becomes_many_rows(tokenizer):
    rows = to_rows([example("a-1", "سه نفر " * 30)], tokenizer, SCHEMA, READING)
    assert len(rows) > 5
    assert all(len(row) <= 16 for row in rows)


def test_a_span_inside_a_word_is_left_out(tokenizer, caplog):
    (row,) = to_rows([example("a-1", "نفرات", spans=(Span("ROLE", 0, 3, "نفر"),))], tokenizer, SCHEMA, READING)
    assert set(row.labels) == {IGNORED, 0}
    assert "do not begin and end on word edges" in caplog.text


def test_nothing_to_learn_is_a_mistake(tokenizer):
    with pytest.raises(UserError, match="no example carries a label"):
        to_rows([example("a-1", spans=None, claim=None)], tokenizer, SCHEMA, READING)

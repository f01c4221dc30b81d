from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UserError
from models.records import Span
from train.conll import read_conll


@pytest.fixture
def conll(tmp_path):
    def write(text):
        path = tmp_path / "sentences.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def spans_of(example):
    return [(span.label, span.text) for span in example.spans]


def test_tokens_become_a_text_and_tags_spans(conll):
    first, second = read_conll(conll("علی|B_PER\nحسینی|I_PER\nبه|O\nتهران|B_LOC\nرفت|O\n\n\nقم|B_LOC\n"))
    assert first.text == "علی حسینی به تهران رفت"
    assert first.spans == (Span("PER", 0, 9, "علی حسینی"), Span("LOC", 13, 18, "تهران"))
    assert (first.id, second.id, second.claim) == ("sentences#1", "sentences#2", None)


def test_conll_2003_columns(conll):
    (example,) = read_conll(conll("-DOCSTART- -X- -X- O\n\nU.N. NNP I-NP B-ORG\nofficial NN I-NP O\n"))
    assert spans_of(example) == [("ORG", "U.N.")]


@pytest.mark.parametrize("separator", ["|", "\t"])
def test_a_bare_line_between_documents_has_no_separator(conll, separator):
    (example,) = read_conll(conll(f"-DOCSTART-\n\nهمه جانبه{separator}O\nتهران{separator}B-LOC\n"))
    assert example.text == "همه جانبه تهران"


def test_tabs_part_tokens_that_hold_blanks(conll):
    (example,) = read_conll(conll("همه جانبه\tO\nتهران\tB-LOC\n"))
    assert example.text == "همه جانبه تهران"
    assert spans_of(example) == [("LOC", "تهران")]


def test_the_separator_may_be_a_token_and_a_token_may_end_in_a_blank(conll):
    (example,) = read_conll(conll("||O\nعباس |B_PER\n"))
    assert (example.text, spans_of(example)) == ("| عباس", [("PER", "عباس")])


def test_an_inside_tag_that_continues_nothing_begins_a_span(conll):
    (example,) = read_conll(conll("الف I-PER\nب I-LOC\nپ I-LOC\nت B-LOC\n"))
    assert spans_of(example) == [("PER", "الف"), ("LOC", "ب پ"), ("LOC", "ت")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("علی|B_PER\nرفت|V\n", "sentences.txt, line 2, last column: «V» is no tag"),
        ("علی\n", "line 1: «علی» is not a token and a tag"),
        ("علی|B_PER\n|O\n", r"line 2: «\|O» is not a token and a tag"),
        ("\n\n", "holds no sentence"),
    ],
)
def test_mistakes_name_the_line(conll, text, message):
    with pytest.raises(UserError, match=message):
        read_conll(conll(text))


TOKENS = st.lists(
    st.tuples(st.text(string.ascii_letters, min_size=1, max_size=5), st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])), min_size=1
)


@given(TOKENS)
def test_spans_are_the_runs_of_tokens(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("conll") / "a.txt"
    path.write_text("\n".join(f"{token}\t{tag}" for token, tag in tokens), encoding="utf-8")
    (example,) = read_conll(path)
    assert example.text.split(" ") == [token for token, _ in tokens]
    assert all(example.text[span.start : span.end] == span.text for span in example.spans)
    covered = sum(len(span.text.split(" ")) for span in example.spans)
    assert covered == sum(tag != "O" for _, tag in tokens)

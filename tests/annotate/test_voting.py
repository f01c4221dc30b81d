"""Two passes over an article, and votes with offsets into the untouched sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from annotate.functions import Passage
from annotate.voting import sentences_of_examples, vote
from models.records import Example, Sentence


def titled(passage: Passage) -> Iterator[tuple[int, int, str]]:
    """A PERSON after «آقای»."""
    for match in re.finditer(r"آقای (\w+ \w+)", passage.text):
        yield *match.span(1), "PERSON"


def surname(passage: Passage) -> Iterator[tuple[int, int, str]]:
    """The last word of a known PERSON."""
    for name in passage.known.get("PERSON", ()):
        for match in re.finditer(name.split()[-1], passage.text):
            yield *match.span(), "PERSON"


def always_policy(passage: Passage) -> str | None:
    """POLICY, whatever the sentence."""
    return "POLICY" if passage.text else None


def article(*texts: str) -> list[Sentence]:
    return [Sentence(f"a-{i}", "a", 0, len(text), text) for i, text in enumerate(texts)]


def test_what_the_first_pass_found_is_known_to_the_second() -> None:
    second, first = vote(article("رضایی گفت", "آقای علی رضایی آمد"), [titled, surname], [])
    assert [(v.label, second.sentence.text[v.start : v.end]) for v in second.votes] == [("PERSON", "رضایی")]
    assert {v.function for v in first.votes} == {"test_voting.titled", "test_voting.surname"}


def test_articles_do_not_know_of_each_other() -> None:
    vote(article("آقای علی رضایی آمد"), [titled, surname], [])
    assert vote(article("رضایی گفت"), [titled, surname], [])[0].votes == ()


def test_offsets_are_into_the_untouched_sentence() -> None:
    (ballot,) = vote(article("آقاي  علي رضـايي آمد"), [titled], [])
    assert [ballot.sentence.text[v.start : v.end] for v in ballot.votes] == ["علي رضـايي"]


def test_a_claim_vote_has_no_offsets() -> None:
    (ballot,) = vote(article("رضایی گفت"), [], [always_policy])
    assert [(v.function, v.label, v.start, v.end) for v in ballot.votes] == [("test_voting.always_policy", "POLICY", None, None)]


def test_labelled_sentences_become_articles_again() -> None:
    rows = [Example(f"{a}#{i}", text, (), None, article=a) for a, i, text in (("a", 1, "یک"), ("a", 2, "دو"), ("b", 1, "سه"))]
    first, second = sentences_of_examples(rows)
    assert [(s.id, s.start, s.end) for s in first] == [("a#1", 0, 2), ("a#2", 3, 5)]
    assert [s.article for s in second] == ["b"]

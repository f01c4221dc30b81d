"""Runs the labelling functions over an article: sentence by sentence, in two passes.

What the first pass establishes about an article (who and what is named in it) is known to the second: a full name, once seen, makes the
bare surname a PERSON everywhere in the article.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from models.records import Example, Sentence, Vote
from models.text import fold

from .functions import CLAIM_FUNCTIONS, SPAN_FUNCTIONS, ClaimFunction, Passage, SpanFunction
from .label_model import Ballot, Majority


def vote(
    sentences: Sequence[Sentence],
    span_functions: Sequence[SpanFunction] = SPAN_FUNCTIONS,
    claim_functions: Sequence[ClaimFunction] = CLAIM_FUNCTIONS,
) -> list[Ballot]:
    """The ballots of one article's sentences, in their order."""
    folded = [fold(sentence.text) for sentence in sentences]
    first = [
        Ballot(sentence, tuple(_span_votes(Passage(sentence, form), span_functions)))
        for sentence, form in zip(sentences, folded, strict=True)
    ]
    known = _established(first)
    second = [Passage(sentence, form, known) for sentence, form in zip(sentences, folded, strict=True)]
    return [
        Ballot(passage.sentence, (*_span_votes(passage, span_functions), *_claim_votes(passage, claim_functions))) for passage in second
    ]


def sentences_of_examples(examples: Iterable[Example]) -> Iterator[list[Sentence]]:
    """Labelled sentences as the unlabelled sentences of their articles, an article (a run of one ``Example.article``) at a time.

    The article's text is taken to be the sentences, one a line.
    """
    for article, rows in groupby(examples, key=lambda example: example.article):
        start, sentences = 0, []
        for row in rows:
            sentences.append(Sentence(row.id, article, start, start + len(row.text), row.text))
            start += len(row.text) + 1
        yield sentences


def _span_votes(passage: Passage, functions: Iterable[SpanFunction]) -> Iterator[Vote]:
    for function in functions:
        for start, end, label in function(passage):
            yield Vote(_name(function), label, *passage.folded.origin(start, end))


def _claim_votes(passage: Passage, functions: Iterable[ClaimFunction]) -> Iterator[Vote]:
    for function in functions:
        if label := function(passage):
            yield Vote(_name(function), label)


def _name(function: SpanFunction | ClaimFunction) -> str:
    """``persons.before_speech``: the module and the function, unique and what a report shows."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def _established(ballots: Iterable[Ballot]) -> Mapping[str, frozenset[str]]:
    """Folded surfaces of the spans that the majority finds, by type."""
    surfaces: defaultdict[str, set[str]] = defaultdict(set)
    for ballot in ballots:
        for span in Majority().spans(ballot)[0]:
            surfaces[span.label].add(fold(span.text).text)
    return {label: frozenset(found) for label, found in surfaces.items()}

"""Labels of sentences that somebody has read, and the file that keeps them without the text, which may not be ours to hand on.

A review names its sentence by a digest of the text, so that it holds whatever id the article gets and however it is split.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import UserError
from models.files import field, parse_jsonl, read_text
from models.labels import CLAIMS, NO_CLAIM, SPAN_TYPES
from models.records import Example, Span, digest, overlap


@dataclass(frozen=True, slots=True)
class Review:
    """What a reader says of a sentence: its claim, None where it was left open, and all its spans of ``types``, the types looked at."""

    claim: str | None
    types: tuple[str, ...] = ()
    spans: tuple[tuple[int, int, str], ...] = ()


def read_reviews(paths: Iterable[str | Path]) -> dict[str, Review]:
    """Reviews by digest; of two on one sentence the later counts. Raises UserError that names file, line and field of a mistake.

    A line is ``{"sentence": DIGEST, "claim": LABEL, "types": [TYPE, …], "entities": [{"start": 0, "end": 4, "label": TYPE}, …]}``.
    """
    reviews: dict[str, Review] = {}
    for path in paths:
        for number, record in parse_jsonl(read_text(path), str(path)):
            where = f"{path}, line {number}"
            claim, types, entities = record.get("claim"), record.get("types", []), record.get("entities", [])
            if claim not in (None, NO_CLAIM, *CLAIMS):
                raise UserError(f"{where}, field 'claim': {claim!r} is none of {', '.join((*CLAIMS, NO_CLAIM))} or null")
            if not isinstance(types, list) or not all(name in SPAN_TYPES for name in types):
                raise UserError(f"{where}, field 'types': {types!r} is no list of {', '.join(SPAN_TYPES)}")
            if not isinstance(entities, list) or not all(isinstance(e, dict) and e.get("label") in types for e in entities):
                raise UserError(f"{where}, field 'entities': expected a list of objects with start, end and a label that is one of 'types'")
            spans = tuple((field(e, "start", int, where), field(e, "end", int, where), str(e["label"])) for e in entities)
            for one, other in itertools.pairwise(sorted(spans)):
                if other[0] < one[1]:
                    raise UserError(f"{where}, field 'entities': two of them overlap at {other[0]}; keep one")
            reviews[field(record, "sentence", str, where)] = Review(claim, tuple(types), spans)
    return reviews


def reviewed(example: Example, reviews: Mapping[str, Review], weight: float = 1.0) -> Example:
    """The weak label with a reader's in its place, where a reader has seen the sentence.

    A claim that was read has no ``claim_scores``: it is no longer a distribution. Spans of the types looked at are the reader's; others
    stay where they do not overlap one of them. Raises UserError for a span that leaves the sentence.
    """
    review = reviews.get(digest(example.text))
    if review is None:
        return example
    if review.claim or review.types:
        example = replace(example, weight=weight)
    if review.claim:
        example = replace(example, claim=review.claim, claim_scores=None)
    if not review.types or example.spans is None:
        return example
    read = [Span(label, start, end, example.text[start:end]) for start, end, label in review.spans]
    if not all(0 <= span.start < span.end <= len(example.text) for span in read):
        raise UserError(f"a review of sentence {digest(example.text)} ({example.id}) has a span that leaves it; read the sentence again")
    kept = [s for s in example.spans if s.label not in review.types and not any(overlap(s.range, r.range) for r in read)]
    unsure = () if set(review.types) == set(SPAN_TYPES) else example.unsure  # nothing is left that the rules could be unsure of
    spans = tuple(sorted((*kept, *read), key=lambda span: span.start))
    return replace(example, spans=spans, unsure=unsure, types_by_hand=review.types)

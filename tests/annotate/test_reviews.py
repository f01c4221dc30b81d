from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.reviews import read_reviews, reviewed
from models.errors import UserError
from models.records import Example, Span, digest

TEXT = "طرح ملی مسکن در سه استان آغاز شد"
WEAK = Example("a-1", TEXT, (Span("PROGRAM", 4, 12, "ملی مسکن"), Span("NUMBER", 16, 18, "سه")), "POLICY", {"POLICY": 1.0})


@pytest.fixture
def reviews(tmp_path):
    def write(*records):
        path = tmp_path / "reviews.jsonl"
        path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        return read_reviews([path])

    return write


def record(**kwargs):
    return {"sentence": digest(TEXT), "claim": "ANNOUNCEMENT", "types": [], "entities": []} | kwargs


def test_a_readers_claim_is_no_distribution(reviews):
    result = reviewed(WEAK, reviews(record()), weight=4)
    assert (result.claim, result.claim_scores, result.spans, result.weight) == ("ANNOUNCEMENT", None, WEAK.spans, 4)


def test_spans_of_the_types_looked_at_are_the_readers(reviews):
    entity = {"start": 0, "end": 12, "label": "PROGRAM"}
    result = reviewed(WEAK, reviews(record(claim=None, types=["PROGRAM"], entities=[entity])))
    assert result.spans == (Span("PROGRAM", 0, 12, "طرح ملی مسکن"), WEAK.spans[1])
    assert (result.claim, result.claim_scores) == (WEAK.claim, WEAK.claim_scores)
    assert result.types_by_hand == ("PROGRAM",)
    assert reviewed(WEAK, reviews(record(types=["PROGRAM"]))).spans == WEAK.spans[1:]


@pytest.mark.parametrize(("types", "weight"), [(["PROGRAM"], 4), ([], 1)])
def test_a_sentence_read_for_its_spans_alone_counts_as_often_as_another(reviews, types, weight):
    assert reviewed(WEAK, reviews(record(claim=None, types=types)), weight=4).weight == weight


def test_where_all_types_were_looked_at_nothing_is_unsure(reviews):
    doubtful = replace(WEAK, unsure=((20, 24),))
    assert reviewed(doubtful, reviews(record(types=["PROGRAM"]))).unsure == doubtful.unsure
    assert reviewed(doubtful, reviews(record(types=["PERSON", "ROLE", "NUMBER", "PROGRAM"]))).unsure == ()


def test_other_sentences_stay(reviews):
    assert reviewed(WEAK, reviews(record(sentence=digest("دیگر")))) is WEAK


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": "OPINION"}, "reviews.jsonl, line 1, field 'claim': 'OPINION' is none of"),
        ({"types": ["PLACE"]}, "line 1, field 'types'"),
        ({"types": [["PERSON"]]}, "line 1, field 'types'"),
        ({"types": [{}]}, "line 1, field 'types'"),
        ({"entities": [{"start": 0, "end": 3, "label": "PROGRAM"}]}, "line 1, field 'entities'.*one of 'types'"),
        (
            {"types": ["ROLE"], "entities": [{"start": 4, "end": 8, "label": "ROLE"}, {"start": 0, "end": 5, "label": "ROLE"}]},
            "line 1, field 'entities': two of them overlap at 4",
        ),
        ({"sentence": 3}, "line 1, field 'sentence'"),
    ],
)
def test_mistakes_name_line_and_field(reviews, change, message):
    with pytest.raises(UserError, match=message):
        reviews(record(**change))


def test_a_span_outside_the_sentence_is_refused(reviews):
    entity = {"start": 0, "end": 99, "label": "PROGRAM"}
    with pytest.raises(UserError, match="has a span that leaves it"):
        reviewed(WEAK, reviews(record(types=["PROGRAM"], entities=[entity])))


@pytest.mark.parametrize("path", sorted(Path("annotate").glob("reviews*.jsonl")), ids=lambda path: path.stem)
def test_the_projects_own_reviews_can_be_read_and_hold_no_text(path):
    assert read_reviews([path])
    keys = {key for line in path.read_text(encoding="utf-8").splitlines() for key in json.loads(line)}
    assert keys == {"sentence", "article", "claim", "types", "entities"}

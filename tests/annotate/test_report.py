"""The report: coverage, overlap and conflict on ballots small enough to count by hand, and the scores on gold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotate.label_model import Ballot
from annotate.report import function_rows, gold_scores, table, write_report
from models.records import Example, Sentence, Span, Vote

FIRST, SECOND = "علی رضایی آمد", "۲۰ نفر هستند"


def sentence(id: str, text: str) -> Sentence:
    return Sentence(id, "a", 0, len(text), text)


BALLOTS = [
    Ballot(
        sentence("a-1", FIRST),
        (Vote("names", "PERSON", 0, 9), Vote("surnames", "PERSON", 4, 9), Vote("acts", "ANNOUNCEMENT"), Vote("states", "POLICY")),
    ),
    Ballot(sentence("a-2", SECOND), (Vote("digits", "NUMBER", 0, 2), Vote("dates", "O", 0, 2), Vote("acts", "ANNOUNCEMENT"))),
]
GOLD = [
    Example("g#1", FIRST, (Span("PERSON", 0, 9, "علی رضایی"),), "ANNOUNCEMENT", article="a"),
    Example("g#2", SECOND, (Span("NUMBER", 0, 2, "۲۰"),), "STATISTIC", article="a"),
    Example("g#3", "نظر شما", (), "NONE", article="a"),
]


def test_coverage_overlap_and_conflict() -> None:
    rows = {row.function: row for row in function_rows(BALLOTS)}
    assert (rows["acts"].coverage, rows["acts"].overlap, rows["acts"].conflict) == (1.0, 0.5, 0.5)
    assert (rows["names"].coverage, rows["names"].overlap, rows["names"].conflict) == (0.5, 1.0, 1.0)
    assert rows["names"].score is None


def test_each_kind_of_vote_is_judged_on_gold() -> None:
    right = {row.function: (row.score.correct, row.score.predicted) for row in function_rows(BALLOTS, GOLD) if row.score}
    assert right == {"acts": (1, 2), "dates": (0, 1), "digits": (1, 1), "names": (1, 1), "states": (0, 1), "surnames": (0, 1)}


def test_a_gold_sentence_that_was_not_labelled_is_an_empty_prediction() -> None:
    elsewhere = Example("b-1", SECOND, GOLD[1].spans, "STATISTIC", article="b")
    weak = [Example("a-1", FIRST, GOLD[0].spans, "ANNOUNCEMENT", article="a"), elsewhere]
    scores = gold_scores(GOLD, weak)
    assert scores.missing == 2
    assert (scores.strict["micro"].correct, scores.strict["micro"].gold) == (1, 2)
    assert scores.claims.accuracy == 0.5
    assert scores.claims.confusion["NONE"]["NONE"] == 1


def test_what_gold_does_not_label_is_not_judged() -> None:
    spans_alone, claim_alone = (
        Example("g#1", FIRST, GOLD[0].spans, None, article="a"),
        Example("g#2", SECOND, None, "STATISTIC", article="a"),
    )
    gold = [spans_alone, claim_alone]
    right = {row.function: (row.score.correct, row.score.predicted) for row in function_rows(BALLOTS, gold) if row.score}
    assert right == {"acts": (0, 1), "dates": (0, 0), "digits": (0, 0), "names": (1, 1), "states": (0, 0), "surnames": (0, 1)}
    scores = gold_scores(gold, GOLD)
    assert (scores.strict["micro"].predicted, scores.strict["micro"].gold, scores.strict["micro"].f1) == (1, 1, 1.0)
    assert scores.partial["micro"].predicted == 1
    assert scores.claims.accuracy == 1.0


def test_the_file_is_json_with_a_row_a_function(tmp_path: Path) -> None:
    rows = function_rows(BALLOTS, GOLD)
    write_report(tmp_path / "report.json", rows, len(BALLOTS), gold_scores(GOLD, GOLD))
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["function"] for row in written["functions"]] == [row.function for row in rows]
    assert written["gold"]["spans_strict"]["micro"]["f1"] == 1.0


def test_what_was_learned_stands_beside_gold(tmp_path: Path) -> None:
    rows = function_rows(BALLOTS, GOLD, {"names": 0.75})
    write_report(tmp_path / "report.json", rows, len(BALLOTS), None)
    written = {row["function"]: row for row in json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["functions"]}
    assert (written["names"]["learned"], written["names"]["precision"]) == (0.75, 1.0)
    assert "learned" not in written["acts"]
    head, *lines = table(rows).splitlines()
    assert head.split()[-1] == "learned"
    assert {line.split()[0]: line.split()[-1] for line in lines}["names"] == "75.0"


@pytest.mark.parametrize("gold", [[], GOLD])
def test_the_table_names_every_function(gold: list[Example]) -> None:
    text = table(function_rows(BALLOTS, gold), gold_scores(gold, gold) if gold else None)
    assert all(name in text for name in ("acts", "dates", "digits", "names", "states", "surnames"))
    assert ("macro-F1" in text) == bool(gold)

from __future__ import annotations

import json
import signal

import pytest

from models import files
from models.errors import UserError, command
from models.records import Claim, Example, PredictedSentence, Prediction, Span, read_examples, write_examples

GOOD = {
    "id": "a-001",
    "text": "۳ هزار نفر",
    "entities": [{"start": 0, "end": 6, "label": "NUMBER", "text": "۳ هزار"}],
    "claim": "STATISTIC",
}


def write(tmp_path, *records):
    path = tmp_path / "examples.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records), encoding="utf-8")
    return path


def test_examples_survive_a_file(tmp_path):
    examples = [
        Example(
            "a-001",
            "۳ هزار نفر",
            (Span("NUMBER", 0, 6, "۳ هزار", 0.75),),
            "STATISTIC",
            {"STATISTIC": 0.9, "POLICY": 0.1},
            ((7, 10),),
            0.5,
            "a",
            types_by_hand=("NUMBER", "ROLE"),
        ),
        Example("a-002", "سلام", None, None, article="a"),
    ]
    write_examples(tmp_path / "e.jsonl", examples)
    assert read_examples(tmp_path / "e.jsonl") == examples


@pytest.mark.parametrize("id", ["a-7", "a#7"])
def test_an_article_is_the_id_without_its_number(tmp_path, id):
    assert read_examples(write(tmp_path, GOOD | {"id": id}))[0].article == "a"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", r"line 2: not valid JSON"),
        ("[]", "line 2: a JSON list, not an object"),
        ({"id": "x"}, "line 2: no field 'text'"),
        ({"text": "x"}, "line 2: no field 'id'"),
        (GOOD | {"text": 3}, "line 2, field 'text': int in place of str; mend the field"),
        (GOOD | {"source": 3}, "line 2, field 'source': int in place of str; mend the field"),
        (GOOD | {"claim": "RUMOUR"}, "field 'claim': 'RUMOUR' is none of ANNOUNCEMENT"),
        (GOOD | {"claim_scores": {"RUMOUR": 1}}, "field 'claim_scores'"),
        (GOOD | {"entities": [{"start": 0}]}, "field 'entities': expected a list"),
        (GOOD | {"entities": [GOOD["entities"][0] | {"text": "۳"}]}, "the record says «۳»"),
        (GOOD | {"entities": [GOOD["entities"][0] | {"label": "X"}]}, "'X' is none of PERSON"),
        (GOOD | {"entities": [GOOD["entities"][0] | {"end": 99}]}, "leaves the text"),
        (GOOD | {"entities": GOOD["entities"] * 2}, "overlaps another"),
        (GOOD | {"entities": [GOOD["entities"][0] | {"start": "0"}]}, "field 'entities'"),
        (GOOD | {"unsure": [3]}, "field 'unsure'"),
        (GOOD | {"weight": "much"}, "field 'weight'"),
        (GOOD | {"types_by_hand": "ROLE"}, "field 'types_by_hand'"),
        (GOOD | {"types_by_hand": ["X"]}, "field 'types_by_hand': .*'X'.* is no list of PERSON"),
    ],
)
def test_a_wrong_record_is_named(tmp_path, record, message):
    with pytest.raises(UserError, match=message):
        read_examples(write(tmp_path, GOOD, record))


def test_no_examples_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="holds no examples"):
        read_examples(write(tmp_path))


def test_a_prediction_is_plain_json():
    span = Span("NUMBER", 4, 10, "۳ هزار", 0.98, 3000, "نفر")
    sentence = PredictedSentence(4, 14, "۳ هزار نفر", Claim(None, 0.4, {"POLICY": 0.4}), (span, Span("ROLE", 11, 14, "نفر", 0.5)))
    (record,) = Prediction("d", "…", (sentence,)).to_dict()["sentences"]
    assert record["spans"][0] == {"label": "NUMBER", "start": 4, "end": 10, "text": "۳ هزار", "score": 0.98, "value": 3000, "unit": "نفر"}
    assert "value" not in record["spans"][1]
    assert record["claim"] == {"label": None, "score": 0.4, "scores": {"POLICY": 0.4}}


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "out.txt"
    with files.write_whole(path) as out:
        out.write("old")
    with pytest.raises(TypeError), files.write_whole(path) as out:
        out.writelines(["half", None])
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["out.txt"]


def test_invalid_utf8_is_found_by_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("یک\nدو\n".encode() + b"\xff")
    with pytest.raises(UserError, match=r"a.txt, line 3: not valid UTF-8 \(byte 0xff\)"):
        files.read_text(path)
    with pytest.raises(UserError, match="is a folder"):
        files.read_text(tmp_path)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("a.txt: no such file"), 2, "error: a.txt: no such file\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("x"), 1, "a fault of ours"),
    ],
)
def test_exit_codes(capsys, error, code, message):
    @command
    def main(argv=None):
        raise error

    assert main([]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "left", [BrokenPipeError(), RuntimeError("cannot join thread before it is started"), UserError("a worker was ended")]
)
def test_what_ctrl_c_leaves_half_done_is_an_interruption(capsys, left):
    """Where it strikes while a worker starts, cleaning up raises errors of its own."""

    @command
    def main(argv=None):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            raise left

    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_that_a_finalizer_swallows_is_an_interruption():
    """The pipe to a worker that it ended would else be taken for a reader that has gone, and the command for done."""

    class Swallowing:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    @command
    def main(argv=None):
        Swallowing()
        raise BrokenPipeError

    assert main([]) == 130

"""The benchmark of long runs: distinct sentences, and that a small one is killed, resumed, compared and written down."""

from __future__ import annotations

import itertools
import json

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from benchmarks import archive
from models import text


def test_every_sentence_is_another_and_a_document_of_one_sentence():
    found = list(itertools.islice(archive.sentences(), 2000))
    assert len(set(found)) == 2000
    assert all(text.sentences(sentence) == [(0, len(sentence))] for sentence in found)


def test_a_run_is_killed_resumed_and_compared(tmp_path, capsys):
    out = tmp_path / "results/archive.json"
    arguments = ["--tiny", "--documents", "3000", "--small", "500", "--shard-size", "100", "--kills", "2", "--output", str(out)]
    assert archive.main(arguments) == 0
    result = json.loads(out.read_text(encoding="utf-8"))["tiny, 3,000 documents"]
    assert [run["documents"] for run in result["runs"]] == [500, 3000, 500]
    assert all(0 < run["peak MB"] < 1000 and run["documents a second"] > 0 for run in result["runs"])
    assert result["killed"]["equal"]
    assert 1 <= len(result["killed"]["kills"]) <= 2
    assert all(kill["documents finished"] < 3000 for kill in result["killed"]["kills"])
    assert '"peak MB"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--documents", "-1"], "argument --documents: '-1' is no whole number from 1"),
        (["--small", "0"], "argument --small: '0' is no whole number from 1"),
        (["--model", "nowhere"], "nowhere"),
        (["--output", "/proc/nope/a.json"], "/proc/nope/a.json: cannot be written"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(option, told, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(archive, "stages", lambda *_: pytest.fail("it went on"))
    assert archive.main(["--output", str(tmp_path / "archive.json"), *option]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {told}")
    assert error.count("\n") == 1


def test_a_run_that_takes_no_longer_than_one_document_has_no_rate():
    start = {"seconds": 2.0, "processor seconds": 1.0}
    found = archive.with_rates({"documents": 10, "seconds": 1.9, "processor seconds": 2.0}, start)
    assert (found["documents a second"], found["documents a processor second"]) == (None, 10.0)

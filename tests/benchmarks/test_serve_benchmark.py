"""The benchmark of the service: a small one runs and is written down; mistakes are told before it starts or as the service tells them."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")

from benchmarks import serve


def test_callers_take_turns_and_the_figures_are_written_down(tiny_folder, tmp_path, capsys):
    out = tmp_path / "serve.json"
    line = ["--callers", "1,2", "--requests", "4", "--rounds", "2", "--json", str(out)]
    line += ["--", "--model", str(tiny_folder), "--engine", "torch"]
    assert serve.main(line) == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert {callers: len(rounds) for callers, rounds in record["rounds"].items()} == {"1": 2, "2": 2}
    assert all(rate > 0 and 0 < p50 <= p99 and spent >= 0 for rounds in record["rounds"].values() for rate, p50, p99, spent in rounds)
    assert record["command"] == line
    assert record["machine"]["processors"] > 0
    assert len(capsys.readouterr().out.splitlines()) == 3  # a heading and a line each


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--callers", "1,x"], "argument --callers: 'x' is no whole number from 1"),
        (["--callers", "0"], "argument --callers: '0' is no whole number from 1"),
        (["--json", "/proc/nope/s.json"], "/proc/nope/s.json: cannot be written"),
        (["--requests", "1"], "argument --requests: '1' is no whole number from 2"),
        (["--", "--model", "nowhere/at/all"], "nowhere/at/all: no such folder"),
    ],
)
def test_a_mistake_is_one_line(line, told, capsys):
    assert serve.main(line) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {told}")
    assert error.count("\n") == 1

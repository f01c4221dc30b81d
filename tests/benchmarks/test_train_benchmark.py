"""The benchmark of training: a mistake is one line, before anything is trained."""

from __future__ import annotations

import pytest

from benchmarks import train


def test_a_mistaken_setting(capsys):
    assert train.main(["train.epoch=1"]) == 2
    assert capsys.readouterr().err == "error: command line, 'train.epoch=1': unknown key; did you mean 'epochs'?\n"


def test_a_recipe_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main([]) == 2
    assert capsys.readouterr().err == "error: configs/parsbert.yaml: no such file; check the path\n"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--rounds", "0"], "argument --rounds: '0' is no whole number from 1"),
        (["--steps", "-1"], "argument --steps: '-1' is no whole number from 1"),
        (["--output", "/proc/nope/t.json"], "/proc/nope/t.json: cannot be written"),
        (["--output", "benchmarks"], "benchmarks: is a folder"),
    ],
)
def test_an_option_that_cannot_be(option, told, capsys, monkeypatch):
    monkeypatch.setattr(train.subprocess, "run", lambda *_, **__: pytest.fail("it went on"))
    assert train.main(option) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {told}")
    assert error.count("\n") == 1

"""The benchmark of training: a mistake is one line, before anything is trained."""

from __future__ import annotations

from benchmarks import train


def test_a_mistaken_setting(capsys):
    assert train.main(["train.epoch=1"]) == 2
    assert capsys.readouterr().err == "error: command line, 'train.epoch=1': unknown key; did you mean 'epochs'?\n"


def test_a_recipe_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main([]) == 2
    assert capsys.readouterr().err == "error: configs/parsbert.yaml: no such file; check the path\n"

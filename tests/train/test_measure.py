from __future__ import annotations

import json

import pytest

from models.predictor import load
from models.records import Example, Span
from train.measure import AS_IT_IS, by_spelling, differences, main

TEXT = "علی می\u200cگفت ۳۵ نفر"
GOLD = [Example("a-1", TEXT, (Span("PERSON", 0, 3, "علی"), Span("NUMBER", 11, 13, "۳۵")), "STATISTIC")]


def test_the_same_sentences_in_every_spelling(tiny_folder, monkeypatch):
    predictor = load(tiny_folder, device="cpu")
    seen = []
    read = predictor.read
    monkeypatch.setattr(predictor, "read", lambda texts: seen.append(texts[0]) or read(texts))
    reports = by_spelling(predictor, GOLD)
    assert seen == [TEXT, "علی میگفت ۳۵ نفر", TEXT.replace("ی", "ي"), TEXT.replace("۳۵", "35")]
    assert [report["spans"]["micro"]["gold"] for report in reports.values()] == [2] * 4
    assert all(name in differences(reports) for name in (AS_IT_IS, "no ZWNJ", "(+0.0)"))


def test_the_command_writes_figures_and_plots(tiny_folder, tmp_path, capsys):
    gold = tmp_path / "gold.jsonl"
    gold.write_text("\n".join(json.dumps(e.to_dict()) for e in GOLD), encoding="utf-8")
    assert main([str(tiny_folder), "--gold", str(gold), "--to", str(tmp_path / "out")]) == 0
    assert set(json.loads((tmp_path / "out/measures.json").read_text())[str(gold)]) >= {AS_IT_IS, "Latin digits"}
    assert (tmp_path / "out/gold/reliability.png").is_file()
    assert "calibration error" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["notes.txt", "notes.txt/sub/plots"])
def test_a_file_in_the_folders_place_is_told_before_anything_is_read(tmp_path, capsys, folder):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["nowhere", "--gold", "seeds/gold.jsonl", "--to", str(tmp_path / folder)]) == 2
    assert capsys.readouterr().err == f"error: --to: {tmp_path / 'notes.txt'} is a file; name a folder\n"


@pytest.mark.parametrize("between", [[], ["--gold"]])
def test_two_files_of_one_name_are_told_before_anything_is_read(tmp_path, capsys, between):
    assert main(["nowhere", "--gold", "a/gold.jsonl", *between, "b/gold.jsonl", "--to", str(tmp_path)]) == 2
    assert "--gold: the plots of a/gold.jsonl and b/gold.jsonl would go to one folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nowhere", "--gold", "none.jsonl"], ["nowhere"]])
def test_mistakes_are_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1

"""The benchmark of prediction: the archive and the counts it rests on, and that a quick run measures and writes all it says."""

from __future__ import annotations

import json
import statistics

import pytest
from transformers import BertConfig, BertModel

from models.labels import Schema
from models.modeling import joint_model
from models.text import sentences
from train.publish import write

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from benchmarks import predict, subjects


@pytest.fixture(scope="module")
def folder(tiny_encoder, tiny_tokenizer, tmp_path_factory):
    """A tiny model as published, but for its card, that stock pipelines, which do not cut, can read a whole sentence with."""
    folder = tmp_path_factory.mktemp("published") / "tiny"
    folder.mkdir()
    config = BertConfig.from_dict(tiny_encoder.config.to_dict() | {"max_position_embeddings": 512})
    reading = {"format": 1, "window": 256, "overlap": 64, "claim_threshold": 0.5}
    write(joint_model(BertModel(config), Schema()), tiny_tokenizer, folder, reading)
    return folder


def test_the_archive_is_of_distinct_sentences_as_long_as_the_seeds():
    found = subjects.archive(1000)
    assert found == subjects.archive(1000)
    assert len(set(found)) == 1000
    assert all(sentences(text, ((0, len(text)),)) == [(0, len(text))] for text in found)
    ours, seeds = (statistics.fmean(len(text.split()) for text in texts) for texts in (found, subjects.seed_sentences()))
    assert ours == pytest.approx(seeds, rel=0.1)


def test_stock_reads_an_eighth_of_the_same_lengths(folder):
    model = subjects.Model("tiny", folder, folder, folder, subjects.archive(400))
    read = model.read_by("stock")
    assert len(read) == 50
    assert statistics.fmean(model.lengths[i] for i in read) == pytest.approx(statistics.fmean(model.lengths), rel=0.05)


def test_operations_are_two_a_weight_and_token_and_those_of_attention(folder):
    model = subjects.Model("tiny", folder, folder, folder, [])  # one layer, 16 wide, 32 within
    assert model.gflop(10) == pytest.approx((2 * 10 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * 2 * 10 * 10 * 16) / 1e9)


def test_a_quick_run_measures_all_contenders(folder, tmp_path, capsys):
    out = tmp_path / "results/predict.json"
    assert predict.main([str(folder), "--quick", "--output", str(out)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    (rows,) = result["models"]["tiny"]["processors"].values()
    assert list(rows) == list(predict.PRODUCTS)
    assert all(of["median"] > 0 for figures in rows.values() for name, of in figures.items() if "F1" not in name)
    assert {"gold span F1", "outside the engine, wall", "share", "peak MB", "p99 ms"} <= set(rows["onnx int8"])
    assert set(result["models"]["tiny"]["start"]) == {"stock", "torch", "onnx int8"}
    assert {"device", "flags", "versions", "commit"} <= set(result["machine"])
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr()
    assert "sentences/s" in told.out
    lines = [line for line in told.err.splitlines() if "round 1 of 1: tiny, " in line]
    assert [line.split(", ")[2].split(":")[0] for line in lines] == list(predict.PRODUCTS)


@pytest.mark.parametrize("models", ["small", "tiny=elsewhere", "=elsewhere"])
def test_a_model_without_a_name_of_its_own_is_refused(folder, models, capsys):
    assert predict.main([str(folder), "--quick", "--models", models]) == 2
    assert "--models" in capsys.readouterr().err


def test_gold_is_read_before_anything_is_measured(folder, monkeypatch, capsys):
    monkeypatch.setattr(predict, "prepare_all", lambda *_: pytest.fail("it went on"))
    assert predict.main([str(folder), "--quick", "--gold", "typo.jsonl"]) == 2
    assert capsys.readouterr().err == "error: typo.jsonl: no such file; check the path\n"


def test_two_files_of_gold_with_one_name_are_refused(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predict, "prepare_all", lambda *_: pytest.fail("it went on"))
    (tmp_path / "gold.jsonl").write_text("", encoding="utf-8")
    assert predict.main([str(folder), "--quick", "--gold", str(tmp_path / "gold.jsonl")]) == 2
    assert capsys.readouterr().err == f"error: --gold: {tmp_path / 'gold.jsonl'} has the name of another file of gold; give it its own\n"

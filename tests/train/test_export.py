"""The ONNX graph: reads as the network does, carries nothing of the machine it was made on, and is published with a run."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from models.errors import UserError
from models.predictor import load
from train import export
from train.publish import main, publish

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TEXTS = ["۲۶ هزار معلول تحت پوشش هستند.", "حسینی، وزیر کار، گفت", "خبر " * 90, ""]
SAMPLES = [np.array([2, *range(5, 5 + length), 3]) for length in (1, 7, 30)]
REPORT = {
    "name": "tiny",
    "base_model": "intfloat/multilingual-e5-small",
    "licence": "cc-by-sa-4.0",
    "settings": {"name": "tiny", "seed": 13, "predict": {"window": 48, "overlap": 12, "claim_threshold": 0.5}},
    "versions": {"torch": "2.13.0"},
    "data": {},
}


@pytest.fixture(scope="module")
def exported(tiny_model, tiny_tokenizer, tmp_path_factory):
    """A run whose model was published with its graph by the command."""
    run = tmp_path_factory.mktemp("run")
    publish(tiny_model, tiny_tokenizer, run / "published", report=REPORT)
    weak = [{"id": f"a-{i}", "text": text, "spans": [], "claim": None} for i, text in enumerate(TEXTS[:3])]
    (run / "weak.jsonl").write_text("".join(json.dumps(record) + "\n" for record in weak), encoding="utf-8")
    settings = REPORT["settings"] | {"annotate": {"output": str(run / "weak.jsonl")}, "data": {"train": []}}
    (run / "report.json").write_text(json.dumps(REPORT | {"settings": settings}), encoding="utf-8")
    assert main([str(run), "--to", str(run / "out"), "--onnx"]) == 0
    return run / "out"


def test_the_graph_gives_the_networks_claims(exported):
    graph, network = load(exported, engine="onnx"), load(exported, device="cpu", engine="torch")
    for text in TEXTS:
        (ours,), (theirs,) = graph.read([text]), network.read([text])
        assert ours.claim.scores == pytest.approx(theirs.claim.scores, abs=0.1)


def test_it_holds_no_path_of_this_machine(exported):
    graph = (exported / export.GRAPH).read_bytes()
    assert not [name for name in ("site-packages", "modeling.py", str(exported.parent)) if name.encode() in graph]


def test_the_model_is_left_as_it_was(tiny_model, tmp_path):
    before = {name: tensor.clone() for name, tensor in tiny_model.state_dict().items()}
    tiny_model.train()
    export.export_onnx(tiny_model, SAMPLES, tmp_path)
    assert tiny_model.training
    tiny_model.eval()
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_model.state_dict().items())


def test_a_graph_of_another_network_is_noticed(exported, tiny_model):
    other = type(tiny_model)(tiny_model.config)
    torch.nn.init.normal_(other.classifier.weight, std=5)
    with pytest.raises(RuntimeError, match="does not give what the network gives"):
        export._check(exported / export.GRAPH, other.eval(), SAMPLES)


def test_without_its_packages_one_line_says_what_to_install(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"pip install 'gozareh\[onnx\]'"):
        export.export_onnx(tiny_model, SAMPLES, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_published_folder_is_not_exported_again(exported, capsys):
    assert main([str(exported), "--push-to", "a/b", "--onnx"]) == 2
    assert "is published already" in capsys.readouterr().err

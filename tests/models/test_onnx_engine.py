"""onnxruntime as the engine: starts without torch, and a sentence's answer is its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import onnx_engine
from models.errors import UserError
from models.labels import Schema
from models.modeling import joint_model
from models.onnx_engine import OnnxEngine
from models.predictor import load
from models.torch_engine import TorchEngine

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from train.export import export_onnx
from train.publish import publish

SENTENCES = ["۲۶ هزار معلول تحت پوشش هستند.", "حسینی، وزیر کار، گفت", "خبر " * 90, "", "مدیر کل بهزیستی آمد", "نرخ رشد 50% بود"]


@pytest.fixture(scope="module")
def folder(tiny_model, tiny_tokenizer, tiny_report, tmp_path_factory):
    place = tmp_path_factory.mktemp("published") / "tiny"
    samples = [np.array(ids) for ids in tiny_tokenizer(SENTENCES[:2])["input_ids"]]
    publish(tiny_model, tiny_tokenizer, place, report=tiny_report, export=partial(export_onnx, tiny_model, samples))
    return place


@pytest.fixture(scope="module")
def predictor(folder):
    return load(folder)


def test_it_is_chosen_on_a_cpu(predictor, folder, monkeypatch):
    assert isinstance(predictor.engine, OnnxEngine)
    assert isinstance(load(folder, engine="torch").engine, TorchEngine)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(load(folder, device="cpu").engine, TorchEngine)


def test_neither_torch_nor_transformers_is_imported(folder):
    code = (
        "import sys; from models.predict import main; main(sys.argv[1:]);"
        "print([name for name in ('torch', 'transformers', 'datasets', 'pyarrow', 'huggingface_hub') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "--model", str(folder), "--format", "jsonl", SENTENCES[0]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=12), st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_answer_does_not_depend_on_its_neighbours(predictor, texts, batch_size):
    alone = {text: predictor.read([text])[0] for text in texts}
    assert predictor.read(texts, batch_size) == [alone[text] for text in texts]


def test_a_sentence_that_comes_again_is_computed_once(predictor):
    before, seen = predictor.engine.submit, []
    predictor.engine.submit = lambda ids, mask: seen.append(len(ids)) or before(ids, mask)
    try:
        first, second = predictor.read([SENTENCES[1]] * 2)
    finally:
        del predictor.engine.submit
    assert seen == [1]
    assert first == second


def test_a_graph_of_other_labels_is_refused(folder, tiny_encoder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    export_onnx(joint_model(tiny_encoder, Schema(("PERSON",))), [np.array([2, 5, 3])], copy)
    with pytest.raises(UserError, match=r"model_int8\.onnx: gives .* by config\.json it should give"):
        load(copy)


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("", None), ("0", None), ("100000", None), ("4,2", None)])
def test_threads_are_the_processors_up_to_what_the_environment_says(asked, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert onnx_engine.processors() == (threads or len(os.sched_getaffinity(0)))


def test_the_exact_products_are_taken_only_where_the_fast_ones_overflow(monkeypatch):
    key = "session.x64quantprecision"
    monkeypatch.setattr(onnx_engine, "_products_saturate", lambda: True)
    assert onnx_engine.session_options().get_session_config_entry(key) == "1"
    monkeypatch.setattr(onnx_engine, "_products_saturate", lambda: False)
    with pytest.raises(RuntimeError, match=key):
        onnx_engine.session_options().get_session_config_entry(key)


def test_the_product_that_tells_is_what_its_comment_says():
    onnx = pytest.importorskip("onnx")
    info, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "g",
        [info("a", kinds.UINT8, [1, 2]), info("b", kinds.INT8, [2, 1])],
        [info("y", kinds.INT32, [1, 1])],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    assert onnx.load_from_string(onnx_engine._PRODUCT) == made
    assert isinstance(onnx_engine._products_saturate(), bool)

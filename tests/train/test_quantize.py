"""The rewritten graph gives what the products give, to the rounding of eight bits, whatever stands in the batch beside a row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from models.onnx_engine import session_options  # noqa: E402
from train.quantize import NARROW, _eight_bits, _outlying, calibration, quantize  # noqa: E402

PIECES, WIDE, INNER = 50, 32, 128


def graph(table, into, out, bias):
    """Embeddings, a feed-forward layer and a narrow head."""
    make, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [
        make("Gather", ["table", "input_ids"], ["x"]),
        make("MatMul", ["x", "into"], ["h"]),
        make("Gelu", ["h"], ["g"]),
        make("MatMul", ["g", "out"], ["y"]),
        make("Add", ["bias", "y"], ["z"]),
        make("MatMul", ["z", "head"], ["tags"]),
        make("Cast", ["attention_mask"], ["mask"], to=onnx.TensorProto.FLOAT),
        make("Unsqueeze", ["mask", "last"], ["masks"]),
        make("Mul", ["tags", "masks"], ["logits"]),
    ]
    weights = {"table": table, "into": into, "out": out, "bias": bias, "head": np.eye(WIDE, 9, dtype=np.float32), "last": np.array([2])}
    made = onnx.helper.make_graph(
        nodes,
        "g",
        [info(name, onnx.TensorProto.INT64, ["rows", "tokens"]) for name in ("input_ids", "attention_mask")],
        [info("logits", onnx.TensorProto.FLOAT, ["rows", "tokens", 9])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(5)
    table, into, out = (rng.normal(size=shape).astype(np.float32) for shape in ((PIECES, WIDE), (WIDE, INNER), (INNER, WIDE)))
    into[:, 7] *= 30  # a channel that reaches far beyond the others
    return graph(table, into / 6, out / 10, rng.normal(size=WIDE).astype(np.float32))


def run(model, ids):
    session = onnxruntime.InferenceSession(model.SerializeToString(), session_options(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]


@pytest.fixture(scope="module")
def both(model):
    eight = onnx.ModelProto()
    eight.CopyFrom(model)
    quantize(eight, calibration(np.arange(PIECES).reshape(5, 10)))
    return model, eight


def test_it_gives_what_the_products_give(both):
    ids = np.arange(PIECES)[None]
    expected, found = (run(model, ids) for model in both)
    assert np.abs(found - expected).mean() < 0.01 * np.abs(expected).mean()


def test_wide_products_are_in_eight_bits_and_the_head_is_not(both):
    kinds = [node.op_type for node in both[1].graph.node]
    assert kinds.count("MatMulIntegerToFloat") == kinds.count("QuantizeLinear") == 2
    assert kinds.count("MatMul") == 2  # the outlying channels' and the head's
    assert WIDE >= NARROW > 9
    assert {w.name for w in both[1].graph.initializer}.isdisjoint({"table", "into", "out"})


def test_a_row_does_not_depend_on_its_neighbours(both):
    ids = np.arange(PIECES).reshape(5, 10)
    together = run(both[1], ids)
    assert all(np.array_equal(run(both[1], row[None])[0], read) for row, read in zip(ids, together, strict=True))


def test_the_channel_that_reaches_farthest_is_multiplied_apart():
    low, high = np.zeros(INNER, np.float32), np.ones(INNER, np.float32)
    high[[7, 90]] = 30, 20
    assert {7, 90} <= set(_outlying(np.ones((INNER, WIDE), np.float32), low, high).tolist())
    assert not len(_outlying(np.ones((WIDE, INNER), np.float32), low[:WIDE], high[:WIDE]))


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e4, 1e4, width=32)), st.integers(0, 1))
def test_eight_bits_are_never_off_by_more_than_half_a_step(table, axis):
    eight, scales = _eight_bits(table, axis)
    assert np.all(np.abs(eight * scales.astype(np.float64) - table) <= scales * 0.5001 + 1e-30)

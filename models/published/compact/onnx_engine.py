"""The network as an ONNX graph, on the CPU: numpy and onnxruntime alone, several batches at a time, each on a thread of its own."""

from __future__ import annotations

import functools
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .encoding import Ids, Outputs
from .errors import UserError

GRAPH = "onnx/model_int8.onnx"  # in a published folder
BUDGET = 512  # tokens: what a layer makes of them stays in a core's cache; many more or fewer were slower
_SLOWER = "SkipLayerNormFusion"  # of onnxruntime: the fused kernel takes a sixth of the whole time, sum and norm apart a fiftieth

# an ONNX graph of one node, y = MatMulInteger(a, b): a is one row of two uint8, b one column of two int8
_PRODUCT = (
    b'\x08\x08:\\\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInteger\x12\x01gZ'
    b"\x13\n\x01a\x12\x0e\n\x0c\x08\x02\x12\x08\n\x02\x08\x01\n\x02\x08\x02Z\x13\n\x01b\x12\x0e\n\x0c\x08\x03\x12\x08\n"
    b"\x02\x08\x02\n\x02\x08\x01b\x13\n\x01y\x12\x0e\n\x0c\x08\x06\x12\x08\n\x02\x08\x01\n\x02\x08\x01B\x04\n\x00\x10\r"
)


class OnnxEngine:
    """An exported graph (inputs input_ids, attention_mask; outputs logits, claim_logits). Raises UserError where there is no onnxruntime.

    A batch runs on one thread, and as many batches at a time as there are processors for this process: threads that share one small
    product spend their time waiting for each other.
    """

    budget = BUDGET

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            from onnxruntime import InferenceSession  # type: ignore[attr-defined] # noqa: PLC0415 - an extra
        except ImportError:
            raise UserError("engine onnx: the package onnxruntime is not installed; pip install onnxruntime, or use engine torch") from None
        self.session = InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"], disabled_optimizers=[_SLOWER])
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.pool = ThreadPoolExecutor(threads or processors(), thread_name_prefix="onnx")

    def submit(self, input_ids: Ids, attention_mask: Ids) -> Future[Outputs]:
        """See ``predictor.Engine``."""
        return self.pool.submit(self, input_ids, attention_mask)

    def __call__(self, input_ids: Ids, attention_mask: Ids) -> Outputs:
        """One batch, on the calling thread."""
        results = self.session.run(self.outputs, {"input_ids": input_ids, "attention_mask": attention_mask})
        named = dict(zip(self.outputs, results, strict=True))
        return named["logits"], named.get("claim_logits")


def session_options() -> Any:
    """Onnxruntime's SessionOptions of a graph in 8 bits, on one thread."""
    options = _plain_options()
    if _products_saturate():
        options.add_session_config_entry("session.x64quantprecision", "1")  # elsewhere its products would take more than twice as long
    return options


def _plain_options() -> Any:
    from onnxruntime import SessionOptions  # type: ignore[attr-defined] # noqa: PLC0415 - an extra

    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options


@functools.cache
def _products_saturate() -> bool:
    """Whether onnxruntime adds pairs of 8-bit products in 16 bits, which hold no 2 x 255 x 127: it does on x86 without VNNI."""
    from onnxruntime import InferenceSession  # type: ignore[attr-defined] # noqa: PLC0415 - an extra

    session = InferenceSession(_PRODUCT, _plain_options(), providers=["CPUExecutionProvider"])
    (product,) = session.run(None, {"a": np.full((1, 2), 255, np.uint8), "b": np.full((2, 1), 127, np.int8)})
    return bool(product != 2 * 255 * 127)


def processors() -> int:
    """How many this process may use: those it is bound to, and no more than OMP_NUM_THREADS says, as everywhere in numerical code."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(bound, int(asked)) if asked.isdecimal() and int(asked) else bound

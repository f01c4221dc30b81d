"""The ONNX graph of a model: both heads in one pass, 8-bit weights, for onnxruntime without torch or transformers.

Inputs ``input_ids`` and ``attention_mask``, (rows, tokens) int64; outputs ``logits``, (rows, tokens, tags), and, with that head,
``claim_logits``, (rows, claims). Rows and tokens may be any number, tokens up to the encoder's positions.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.encoding import Ids
from models.errors import UserError
from models.modeling import GozarehModel
from models.onnx_engine import GRAPH, OnnxEngine
from models.torch_engine import TorchEngine

from .quantize import calibration, quantize

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 0.1  # how far the mean probability may move, which tells 8-bit noise from a graph that computes something else


def export_onnx(model: GozarehModel, samples: Sequence[Ids], folder: Path) -> None:
    """Write ``folder``/onnx/model_int8.onnx, having compared what it gives with the network itself.

    ``samples`` are rows of ids, special ones included, from which the ranges of activations are taken (see ``quantize``). On x86 without
    VNNI its products overflow unless onnxruntime is told to be exact (see ``models.onnx_engine.session_options``). Raises UserError where
    the extra ``onnx`` is not installed, RuntimeError where the graph computes something else than the network.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra
        import onnxscript  # noqa: F401, PLC0415 - what torch.onnx needs, said before it works for a minute
    except ImportError as error:
        raise UserError(f"export: the package {error.name} is not installed; pip install 'gozareh[onnx]'") from None
    model = copy.deepcopy(model).cpu().float().eval()  # type: ignore[no-untyped-call]
    graph = float_graph(model)
    quantize(graph, calibration(samples))
    path = folder / GRAPH
    path.parent.mkdir(exist_ok=True)
    onnx.save(graph, path)
    _check(path, model, samples)


def float_graph(model: GozarehModel) -> ModelProto:
    """The graph in 32 bits, with nothing in it of the machine that it was made on.

    The network is to be on the CPU, in 32 bits and in evaluation mode; it is left with plain attention.
    """
    names = ["logits", "claim_logits"] if model.schema.claims else ["logits"]
    ids, mask = _example(model)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    model.set_attn_implementation("eager")  # its plain products and sums are what onnxruntime fuses best
    with _quiet():
        program = torch.onnx.export(
            model,
            kwargs={"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)},
            dynamo=True,
            dynamic_shapes={"input_ids": sizes, "attention_mask": sizes},
            input_names=["input_ids", "attention_mask"],
            output_names=names,
            verbose=False,
        )
    assert program is not None
    graph: ModelProto = program.model_proto
    del graph.graph.value_info[:]  # shapes of the example
    del graph.metadata_props[:]
    for node in (*graph.graph.node, *(node for function in graph.functions for node in function.node)):
        del node.metadata_props[:]  # stack traces, with the paths of this machine
    return graph


def _check(path: Path, model: GozarehModel, samples: Sequence[Ids]) -> None:
    """Compare on a few of the samples, in batches of another shape than the example's."""
    engines = TorchEngine(model), OnnxEngine(path)
    for ids, mask in calibration(samples[:8]):
        ours, theirs = ([torch.from_numpy(a).softmax(dim=-1) for a in engine(ids, mask) if a is not None] for engine in engines)
        for a, b in zip(ours, theirs, strict=True):
            if a.shape != b.shape or not float((a - b).abs().mean()) < TOLERANCE:  # so that it also catches what is not a number
                raise RuntimeError(f"{path}: the graph does not give what the network gives")


def _example(model: GozarehModel) -> tuple[Ids, Ids]:
    """Two rows of seven ids, one of them padded, and a mask; two arrays, since torch would export one given twice as a single input."""
    mask = np.ones((2, 7), dtype=np.int64)
    mask[0, 3:] = 0
    return np.random.default_rng(0).integers(0, model.config.vocab_size, (2, 7)), mask


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' progress and advice."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore", category=FutureWarning):
            yield
    finally:
        logging.disable(level)

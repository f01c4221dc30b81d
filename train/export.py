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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from models.encoding import Ids
from models.engines import OnnxEngine, TorchEngine
from models.errors import UserError
from models.modeling import GozarehModel

GRAPH = "onnx/model_int8.onnx"  # where ``models.engines`` looks for it
TOLERANCE = 0.1  # how far the mean probability may move, which tells 8-bit noise from a graph that computes something else


def export_onnx(model: GozarehModel, folder: Path) -> None:
    """Write ``folder``/onnx/model_int8.onnx, having compared what it gives with the network itself.

    Weights of matrix products and embeddings are stored as 8-bit integers, activations quantised as they come, a batch at a time
    (onnxruntime's dynamic quantisation): so a sentence's scores may depend a little on its neighbours. On x86 without VNNI (before about
    2019) such products can saturate. Raises UserError where the extra ``onnx`` is not installed, RuntimeError where the graph computes
    something else than the network.
    """
    try:
        import onnxscript  # noqa: F401, PLC0415 - what torch.onnx needs, said before it works for a minute
        from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[attr-defined] # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UserError(f"export: the package {error.name} is not installed; pip install 'gozareh[onnx]'") from None
    model = copy.deepcopy(model).cpu().float().eval()  # type: ignore[no-untyped-call]
    names = ["logits", "claim_logits"] if model.schema.claims else ["logits"]
    ids, mask = _example(model, 2, 7)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
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
        proto = program.model_proto
        del proto.graph.value_info[:]  # shapes of the example, over which the quantiser's shape inference stumbles
        del proto.metadata_props[:]
        for node in (*proto.graph.node, *(node for function in proto.functions for node in function.node)):
            del node.metadata_props[:]  # stack traces, with the paths of this machine
        path = folder / GRAPH
        path.parent.mkdir(exist_ok=True)
        quantize_dynamic(proto, path, weight_type=QuantType.QInt8, per_channel=True)
    _check(path, model)


def _check(path: Path, model: GozarehModel) -> None:
    """Compare on rows of another shape than the example's."""
    batch = _example(model, 3, min(24, model.config.max_position_embeddings))
    engines = TorchEngine(model), OnnxEngine(path)
    ours, theirs = ([torch.from_numpy(a).softmax(dim=-1) for a in engine(*batch) if a is not None] for engine in engines)
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape or not float((a - b).abs().mean()) < TOLERANCE:  # so that it also catches what is not a number
            raise RuntimeError(f"{path}: the graph does not give what the network gives")


def _example(model: GozarehModel, rows: int, tokens: int) -> tuple[Ids, Ids]:
    """Ids of any tokens and a mask; two arrays, since torch would export one given twice as a single input."""
    generator = np.random.default_rng(0)
    mask = np.ones((rows, tokens), dtype=np.int64)
    mask[0, tokens // 2 :] = 0
    return generator.integers(0, model.config.vocab_size, (rows, tokens)), mask


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

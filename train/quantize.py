"""An ONNX graph's matrix products in 8 bits, with ranges that are fixed beforehand.

Dynamic quantisation measures each activation's range anew, over the whole batch: it costs a pass over the activation, and a sentence's
scores depend on its neighbours. Here the ranges come from sample sentences. A range must hold the largest value, and after GELU a few
channels reach many times the others (32 where most stay under 1): those few are multiplied in 32 bits (the decomposition of LLM.int8(),
Dettmers et al. 2022), and the range is that of the rest. Weights have a scale an output channel, word embeddings one a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.encoding import Ids

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    Floats32 = NDArray[np.float32]

OUTLIERS = 16  # channels of each feed-forward product that stay in 32 bits; of 4, 8 and 16, 16 agreed best with the network
NARROW = 16  # outputs: a product with fewer is not worth the rounding
_CONTRIB = "com.microsoft"


@dataclass
class _Rewrite:
    """Nodes and weights of the new graph as they come, and the node that reads each old tensor."""

    weights: dict[str, TensorProto]
    readers: Mapping[str, list[NodeProto]]
    nodes: list[NodeProto] = field(default_factory=list)
    done: set[str] = field(default_factory=set)  # outputs of nodes that another has taken in
    quantised: set[str] = field(default_factory=set)  # activations

    def add(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Append a node; gives the name of its output."""
        from onnx import helper  # noqa: PLC0415 - an extra

        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def weight(self, name: str, array: NDArray[Any] | np.generic) -> str:
        """Keep an array as a weight; gives its name."""
        from onnx import numpy_helper  # noqa: PLC0415 - an extra

        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name


def quantize(model: ModelProto, batches: Iterable[tuple[Ids, Ids]]) -> None:
    """Rewrite, in place, a graph's products with constant matrices and its word embeddings; ``batches`` are samples of its input.

    A product takes in the addition of its bias. Products between activations (attention's) and those of under ``NARROW`` outputs stay.
    """
    from onnx import helper, numpy_helper  # noqa: PLC0415 - an extra

    graph = model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    products = [node for node in graph.node if _is_wide_product(node, weights)]
    ranges = _ranges(model, list(dict.fromkeys(node.input[0] for node in products)), batches)
    new = _Rewrite(weights, readers)
    for node in graph.node:
        if _is_wide_product(node, weights):
            _product(new, node, numpy_helper.to_array(weights[node.input[1]]), *ranges[node.input[0]])
        elif node.op_type == "Gather" and node.input[0] in weights and node.input[1] == "input_ids":
            _embeddings(new, node, numpy_helper.to_array(weights[node.input[0]]))
        elif node.output[0] not in new.done:
            new.nodes.append(node)
    read = {name for node in new.nodes for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(new.nodes)
    graph.initializer.extend(weight for name, weight in new.weights.items() if name in read)
    if not any(opset.domain == _CONTRIB for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))


def _is_wide_product(node: NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    return node.op_type == "MatMul" and node.input[1] in weights and weights[node.input[1]].dims[1] >= NARROW


def _ranges(model: ModelProto, activations: list[str], batches: Iterable[tuple[Ids, Ids]]) -> dict[str, tuple[Floats32, Floats32]]:
    """The least and the greatest value of each channel of activations over the batches' tokens, nought included."""
    import onnx  # noqa: PLC0415 - an extra
    from onnxruntime import InferenceSession  # type: ignore[attr-defined] # noqa: PLC0415 - an extra

    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in activations)
    session = InferenceSession(seen.SerializeToString(), providers=["CPUExecutionProvider"])
    ranges: dict[str, tuple[Floats32, Floats32]] = {}
    for ids, mask in batches:
        for name, values in zip(activations, session.run(activations, {"input_ids": ids, "attention_mask": mask}), strict=True):
            rows = np.asarray(values)[mask.astype(bool)]
            low, high = ranges.get(name, (np.float32(0), np.float32(0)))
            ranges[name] = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
    return ranges


def _product(new: _Rewrite, node: NodeProto, matrix: Floats32, low: Floats32, high: Floats32) -> None:
    """Activation @ matrix + bias: the activation in 8 bits, its outlying channels, if it is a feed-forward one, apart."""
    activation, name = node.input[0], node.input[1]
    apart = _outlying(matrix, low, high)
    inner = np.setdiff1d(np.arange(len(low)), apart)
    quantised = f"{activation}_8bit"
    if activation not in new.quantised:
        new.quantised.add(activation)
        least, most = min(float(low[inner].min()), 0.0), max(float(high[inner].max()), 1e-6)
        scale = (most - least) / 255
        new.weight(f"{quantised}_scale", np.float32(scale))
        new.weight(f"{quantised}_zero", np.uint8(round(-least / scale)))
        new.add("QuantizeLinear", [activation, f"{quantised}_scale", f"{quantised}_zero"], quantised)
    kept = matrix.copy()
    kept[apart] = 0
    eight, scales = _eight_bits(kept, axis=0)
    inputs = [quantised, new.weight(f"{name}_8bit", eight), f"{quantised}_scale", new.weight(f"{name}_scale", scales[0])]
    inputs += [f"{quantised}_zero", new.weight(f"{name}_zero", np.zeros(matrix.shape[1], np.int8))]
    bias, output = _bias(new, node)
    whole = new.add("MatMulIntegerToFloat", [*inputs, *bias], f"{output}_8bit" if len(apart) else output, _CONTRIB)
    if len(apart):
        few = new.add("Gather", [activation, new.weight(f"{name}_channels", apart)], f"{activation}_outlying", axis=2)
        rest = new.add("MatMul", [few, new.weight(f"{name}_rest", matrix[apart])], f"{output}_outlying")
        new.add("Add", [whole, rest], output)


def _outlying(matrix: Floats32, low: Floats32, high: Floats32) -> NDArray[np.int64]:
    """Channels, in order, that a product that narrows, the second of a feed-forward layer, multiplies apart."""
    if matrix.shape[0] <= matrix.shape[1]:
        return np.empty(0, np.int64)
    return np.sort(np.argsort(np.maximum(-low, high))[-OUTLIERS:]).astype(np.int64)


def _bias(new: _Rewrite, node: NodeProto) -> tuple[list[str], str]:
    """The weight that alone is added to a product, if there is one, and the name of what comes out."""
    (product,) = node.output
    following = new.readers.get(product, [])
    if len(following) == 1 and following[0].op_type == "Add":
        (other,) = [name for name in following[0].input if name != product]
        if other in new.weights and len(new.weights[other].dims) == 1:
            new.done.add(following[0].output[0])
            return [other], following[0].output[0]
    return [], product


def _embeddings(new: _Rewrite, node: NodeProto, table: Floats32) -> None:
    """A row of 8-bit numbers times the row's scale."""
    from onnx import TensorProto  # noqa: PLC0415 - an extra

    (name, ids), output = node.input, node.output[0]
    eight, scales = _eight_bits(table, axis=1)
    row = new.add("Gather", [new.weight(f"{name}_8bit", eight), ids], f"{output}_row")
    scale = new.add("Gather", [new.weight(f"{name}_scale", scales), ids], f"{output}_row_scale")
    new.add("Mul", [new.add("Cast", [row], f"{output}_row_unscaled", to=TensorProto.FLOAT), scale], output)


def _eight_bits(table: Floats32, axis: int) -> tuple[NDArray[np.int8], Floats32]:
    """A table as whole numbers of -127 to 127, and the scales, along the axis, that they are to be multiplied by."""
    scales = np.maximum(np.abs(table).max(axis=axis, keepdims=True) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    return np.rint(table / scales).astype(np.int8), scales


def calibration(rows: Iterable[Ids]) -> Iterator[tuple[Ids, Ids]]:
    """Batches, each of one row of ids, with their masks."""
    for ids in rows:
        yield ids[None], np.ones((1, len(ids)), dtype=np.int64)

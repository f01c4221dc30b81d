"""From a published folder, or a hub name, to what computes the network: torch on a CPU or a GPU, or onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoTokenizer, BertConfig, PreTrainedTokenizerBase

from .config_spec import AGAIN, FolderReading, check_entry
from .encoding import Floats, Ids, encode
from .errors import UserError
from .folder import INDEX, SINGLE, CheckedFolder, check_folder, is_folder
from .hub import download
from .labels import Schema
from .modeling import GozarehConfig, GozarehModel
from .predictor import Engine

ENGINES = ("auto", "torch", "onnx")
_GRAPH = "onnx/model_int8.onnx"
_PATTERNS = ["*.json", "*.safetensors", "vocab.txt"]
_SPECIALS = ("pad_token", "unk_token", "cls_token", "sep_token")
_PROBE = "گزارهٔ ۱۲ \U0010fffd"  # the last is in no vocabulary
_LARGEST_WEIGHT = 65504.0  # of a 16-bit float: files of ours hold no larger one


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
    """The parts of a Predictor. Raises UserError for a folder that is no whole model of ours, or a hub name that gives none.

    The folder is checked as a whole first (see ``folder``); no code in it or named by it is run.
    """
    if engine not in ENGINES:
        raise UserError(f"engine {engine!r}: there are {', '.join(ENGINES)}")
    place = None if engine == "onnx" else _device(device)
    folder = Path(name) if is_folder(name) else _download(name, [_GRAPH] if engine == "onnx" else [])
    checked = check_folder(folder)
    tokenizer = _load_tokenizer(checked)
    built = _load_torch(checked, place) if place else _load_onnx(folder, device)
    return built, tokenizer, checked.schema, checked.reading


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
    if path.is_absolute() or str(name).startswith(".") or len(path.parts) > 2:
        raise UserError(f"{name}: no such folder; name the one a model was published to, or train one with `make train`")
    return download(str(name), _PATTERNS + more, ignored=["claim/*"])


def read_entry(config: Any, where: str) -> FolderReading:
    """The entry ``gozareh`` of a configuration. Raises UserError for a newer format than this code knows, or a missing or wrong field."""
    return check_entry(getattr(config, "gozareh", None), config.max_position_embeddings, where)


def _load_tokenizer(checked: CheckedFolder) -> PreTrainedTokenizerBase:
    """A checked folder's tokenizer, once it has read a text. Raises UserError if the network could not read what it gives."""
    folder, reading, embeddings = checked.path, checked.reading, checked.embeddings
    try:  # with a configuration of no folder's: transformers would read the folder's own, unchecked fields and all
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, config=BertConfig(), local_files_only=True, trust_remote_code=False
        )
        (probe,) = encode(tokenizer, [_PROBE * reading.window], reading.window, reading.overlap)
        template = tokenizer("")["input_ids"]
        specials = {name: getattr(tokenizer, f"{name}_id") for name in _SPECIALS}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # nothing narrower: the tokenizers library raises Exception, and where it panics a BaseException
        raise UserError(f"{folder}: its tokenizer cannot be loaded: {_first_line(error)}; {AGAIN}") from None
    if absent := [name for name, i in specials.items() if i is None]:
        raise UserError(f"{folder}: its tokenizer has no {absent[0]}; {AGAIN}")
    if template != [specials["cls_token"], specials["sep_token"]]:
        raise UserError(f"{folder}: its tokenizer does not put its cls_token before a text and its sep_token after it; {AGAIN}")
    ids = [*tokenizer.get_vocab().values(), *(int(window.input_ids.max()) for window in probe.windows)]
    if max(ids) >= embeddings:
        raise UserError(f"{folder}: a piece {max(ids)} for {embeddings} embeddings; take both files from one model")
    return tokenizer


def _load_torch(checked: CheckedFolder, device: torch.device) -> TorchEngine:
    """The network. Raises UserError where there are no weights, or some that are no numbers of 16 bits."""
    folder = checked.path
    if not any((folder / name).exists() for name in (SINGLE, INDEX)):
        raise UserError(f"{folder}: no weights in it ({SINGLE} is missing); {AGAIN}")
    try:
        model: Any = GozarehModel.from_pretrained(
            folder, config=GozarehConfig(**checked.config), dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError, StrictDataclassError) as error:
        raise UserError(f"{folder}: cannot be loaded: {_first_line(error)}; {AGAIN}") from None
    for name, tensor in model.named_parameters():
        low, high = tensor.detach().aminmax()
        if not (low >= -_LARGEST_WEIGHT and high <= _LARGEST_WEIGHT):  # so that it also catches what is not a number
            raise UserError(f"{folder}: {name} holds what is not a number, or is no weight by its size; {AGAIN}")
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
        raise UserError(f"{folder / _GRAPH}: cannot be loaded: {_first_line(error)}; {AGAIN}") from None


def _first_line(error: BaseException) -> str:
    """What an error says, in one line of bearable length."""
    line = str(error).strip().split("\n")[0][:300] or type(error).__name__
    return line if line.isprintable() else ascii(line)

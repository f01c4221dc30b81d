"""From a published folder, or a hub name, to what computes the network: torch on a CPU or a GPU, or onnxruntime.

Torch and transformers are imported where torch computes and not before: they take seconds, and onnxruntime needs neither.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from .config_spec import AGAIN, FolderReading
from .encoding import encode
from .errors import UserError, first_line
from .files import access, shown
from .folder import TOKENIZER, CheckedFolder, check_folder, is_folder
from .labels import Schema
from .onnx_engine import GRAPH, OnnxEngine
from .predictor import PUBLISHED, Engine

ENGINES = ("auto", "torch", "onnx")
_PATTERNS = ["*.json", "*.safetensors", "vocab.txt"]
_DRIVERS = ("/proc/driver/nvidia", "/dev/dxg", "/dev/kfd")  # NVIDIA's, Windows' under WSL, AMD's
_PROBE = "گزارهٔ ۱۲ \U0010fffd"  # the last is in no vocabulary


def open_model(name: str | Path, device: str = "auto", engine: str = "auto") -> tuple[Engine, Tokenizer, Schema, FolderReading]:
    """The parts of a Predictor. Raises UserError for a folder that is no whole model of ours, or a hub name that gives none.

    The engine ``auto`` is onnxruntime where it is installed, the folder has a graph and no GPU is asked for or, by the device ``auto``, at
    hand; else torch. The folder is checked as a whole first (see ``folder``); no code in it or named by it is run.
    """
    if engine != "onnx" and device not in ("auto", "cpu"):
        _find_device(device)  # before anything is fetched or loaded for one that is not there
    name, device, engine = resolve(name, device, engine)
    checked = check_folder(_folder(name, engine))
    tokenizer = _load_tokenizer(checked)
    built = _load_onnx(checked) if engine == "onnx" else _load_torch(checked, device)
    return built, tokenizer, checked.schema, checked.reading


def resolve(name: str | Path, device: str = "auto", engine: str = "auto") -> tuple[str, str, str]:
    """What the arguments of ``open_model`` mean on this machine: a released model's folder for its bare name, and no ``auto``.

    Raises UserError for an engine that there is none of or not on that device, for a hub name that gives no model, and for a folder
    that may not be read.
    """
    if engine not in ENGINES:
        raise UserError(f"engine {engine!r}: there are {', '.join(ENGINES)}")
    if engine == "onnx" and device not in ("auto", "cpu"):
        raise UserError(f"engine onnx runs on the CPU, not on {device}; leave the device out, or use engine torch")
    name = str(_released(name) or name)
    if engine == "auto":
        engine = "onnx" if _suits_onnx(device) and _has_graph(_folder(name, "onnx")) else "torch"
    if device == "auto":
        device = "cpu" if engine == "onnx" else _find_device(device)
    return name, device, engine


def _folder(name: str, engine: str) -> Path:
    """The folder of that name, or of the hub's cache, with what the engine needs."""
    return Path(name) if is_folder(name) else _download(name, [GRAPH] if engine == "onnx" else [])


def _has_graph(folder: Path) -> bool:
    with access(folder / GRAPH, "read"):
        return (folder / GRAPH).is_file()


def _released(name: str | Path) -> Path | None:
    """The folder of a model that is published with this code, by its bare name, such as compact. A folder of that name here goes first."""
    folder = PUBLISHED.parent / name
    return folder if Path(name).name == str(name) and folder.is_dir() and not is_folder(name) else None


def _suits_onnx(device: str) -> bool:
    """Whether onnxruntime is installed, and the device is a CPU or, there being no GPU, would be one."""
    if device not in ("auto", "cpu") or importlib.util.find_spec("onnxruntime") is None:
        return False
    return device == "cpu" or not _gpu_at_hand()


def _gpu_at_hand() -> bool:
    """Whether torch sees a GPU. It is asked only where there is a driver for one, since its import takes seconds."""
    if os.name == "posix" and not any(Path(driver).exists() for driver in _DRIVERS):
        return False
    import torch  # noqa: PLC0415 - see the module's docstring

    return torch.cuda.is_available()


def _find_device(name: str) -> str:
    """The device that torch takes. Raises UserError for one that is not there."""
    from .torch_engine import find_device  # noqa: PLC0415 - see the module's docstring

    return str(find_device(name))


def _download(name: str, more: list[str]) -> Path:
    """The folder of the hub's cache that holds a model; what is there already is not fetched again."""
    path = Path(name)
    if path.is_absolute() or name.startswith(".") or len(path.parts) > 2:
        raise UserError(f"{shown(name)}: no such folder; name the one a model was published to, or train one with `make train`")
    from .hub import download  # noqa: PLC0415 - the hub's client takes half a second

    return download(name, _PATTERNS + more, ignored=["claim/*"])


def _load_tokenizer(checked: CheckedFolder) -> Tokenizer:
    """A checked folder's tokenizer, once it has read a text. Raises UserError if the network could not read what it gives."""
    folder, reading, embeddings = checked.path, checked.reading, checked.embeddings
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        (probe,) = encode(tokenizer, [_PROBE * reading.window], reading.window, reading.overlap)
        template = tokenizer.encode("")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # nothing narrower: the tokenizers library raises Exception, and where it panics a BaseException
        raise UserError(f"{folder}: its tokenizer cannot be loaded: {first_line(error)}; {AGAIN}") from None
    if template.special_tokens_mask != [1, 1]:
        raise UserError(f"{folder}: its tokenizer does not put a special token before a text and one after it; {AGAIN}")
    ids = [*tokenizer.get_vocab().values(), *(int(window.input_ids.max()) for window in probe.windows)]
    if max(ids) >= embeddings:
        raise UserError(f"{folder}: a piece {max(ids)} for {embeddings} embeddings; take both files from one model")
    return tokenizer


def _load_torch(checked: CheckedFolder, device: str) -> Engine:
    from .torch_engine import TorchEngine, find_device, load_network  # noqa: PLC0415 - see the module's docstring

    return TorchEngine(load_network(checked).to(find_device(device)))  # type: ignore[arg-type] # its stubs forget what they give


def _load_onnx(checked: CheckedFolder) -> OnnxEngine:
    """Raises UserError where the folder has no graph, or one that gives other labels than its config.json names."""
    path = checked.path / GRAPH
    if not path.is_file():
        raise UserError(f"{checked.path}: no {GRAPH} in it; use engine torch, or publish the model with its ONNX graph")
    try:
        engine = OnnxEngine(path)
        probe = np.zeros((1, 2), dtype=np.int64)
        logits, claims = engine(probe, probe + 1)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's own errors have no base in common
        raise UserError(f"{path}: cannot be loaded: {first_line(error)}; {AGAIN}") from None
    found = logits.shape, None if claims is None else claims.shape
    expected = (1, 2, len(checked.schema.tags)), (1, len(checked.schema.claims)) if checked.schema.claims else None
    if found != expected:
        raise UserError(f"{path}: gives {found}, and by config.json it should give {expected}; {AGAIN}")
    return engine

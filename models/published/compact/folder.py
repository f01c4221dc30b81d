"""A published folder, checked as a whole before any of it is loaded: its files, configuration, weights' headers and tokenizer.

Weights are safetensors, all else is JSON or text. Nothing in the folder is ever run: not the Python files beside the weights, not what an
``auto_map`` names. A check reads JSON and headers alone, so that it takes milliseconds whatever the weights weigh, and needs neither torch
nor transformers.
"""

from __future__ import annotations

import filecmp
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import Any, NoReturn

from .architectures import ARCHITECTURES, Architecture, Shapes
from .config_spec import (
    AGAIN,
    FolderReading,
    architecture_of,
    check_counts,
    check_entry,
    check_format,
    check_network,
    read_labels,
    read_schema,
    size_of,
)
from .errors import UserError
from .files import read_json, shown
from .labels import Schema
from .safetensors_header import shapes
from .tokenizer_spec import check_spec

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"

_RIGHT = "ask for the right to read it"
_PICKLES = re.compile(r"\.(bin|ckpt|dill|h5|hdf5|joblib|keras|msgpack|npy|npz|pdparams|pickle|pkl|pt|pth)")
_PICKLED = re.compile(rb"\x80[\x02-\x05][^\0]|PK\x03\x04|\x89HDF")  # how pickles, torch.save's archives and HDF5 begin
_LEADS_OUT = re.compile(r"auto_map|.*_files?")  # fields of a tokenizer's files that name code, or files to read in place of the folder's
_MOST_FILES = 10_000
_LONGEST_JSON = {TOKENIZER: 32 << 20}  # bytes
_LONGEST_OTHER = 4 << 20


@dataclass(frozen=True)
class CheckedFolder:
    """What a sound folder's config.json says. ``config``: its fields that we read, all that a network may be built of."""

    path: Path
    config: dict[str, Any]
    schema: Schema
    reading: FolderReading
    embeddings: int


def is_folder(path: str | Path) -> bool:
    """Whether there is one of that path. Raises UserError for a file, and where it may not be known."""
    try:
        mode = Path(path).stat().st_mode
    except PermissionError as error:
        raise UserError(f"{shown(path)}: cannot be read: {error.strerror}; {_RIGHT}") from None
    except (OSError, ValueError):  # not there, or no path at all
        return False
    if not stat.S_ISDIR(mode):
        raise UserError(f"{shown(path)}: is a file; name the folder that a model was published to")
    return True


def check_folder(folder: Path) -> CheckedFolder:
    """What a folder of ours says whose parts are sound and agree. Raises UserError for any other; see the module."""
    record, where = _read_config(folder), str(folder / "config.json")
    check_format(record.get("gozareh"), where)
    _check_files(folder)
    kind = architecture_of(record, where)
    check_network(record, where, kind.spans, kind.joint)
    reading = check_entry(record["gozareh"], kind.positions(record), where)
    schema = read_schema(record, where)
    _check_weights(folder, kind.network(record, len(schema.tags), len(schema.claims)))
    embeddings = size_of(kind, record, "vocab_size", where)
    _check_tokenizer(folder, embeddings)
    if (folder / "claim" / "config.json").exists() and not _is_cached(folder):  # the cache may hold half of it
        _check_claim(folder / "claim", kind, schema)
    fields = {field: value for field, value in record.items() if field in kind.read()}
    return CheckedFolder(folder, fields, schema, reading, embeddings)


# --- files ---


def _check_files(folder: Path) -> None:
    """Raise UserError for a pickle, a link that leads out, or anything that is neither a file nor a folder, wherever it is."""
    for number, path in enumerate(_files(folder), 1):
        if number > _MOST_FILES:
            raise UserError(f"{folder}: holds over {_MOST_FILES} files; name the folder that a model was published to")
        _check_regular(folder, path)
        if _PICKLES.fullmatch(path.suffix.lower()) or (path.suffix != ".safetensors" and _PICKLED.match(_head(path))):
            raise UserError(f"{shown(path)}: a pickle or an archive, which may run code when it is loaded; delete it")
        if path.name == "adapter_config.json":
            raise UserError(f"{shown(path)}: leads to the weights of another model; delete it")
        if path.suffix == ".safetensors":
            _header(path)


def _files(folder: Path) -> Iterator[Path]:
    """All that is not a folder, links to folders included; what git keeps beside a clone (its own copies) is passed over."""

    def refuse(error: OSError) -> NoReturn:
        raise UserError(f"{shown(error.filename)}: cannot be read: {error.strerror}; {_RIGHT}")

    for place, folders, names in os.walk(folder, onerror=refuse):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders[:] = [name for name in folders if name != ".git"]
        yield from (Path(place) / name for name in sorted([*names, *links]))


def _check_regular(folder: Path, path: Path) -> None:
    """Raise UserError unless a path is a file that lies in the folder or, in the hub's cache, among the blobs of the same model."""
    root = folder.resolve()
    homes = [root, root.parent.parent / "blobs"] if _is_cached(folder) else [root]
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError) as error:  # a link in a circle is a RuntimeError before Python 3.13
        raise UserError(f"{shown(path)}: cannot be read: {getattr(error, 'strerror', None) or 'a link in a circle'}; {AGAIN}") from None
    if not any(real.is_relative_to(home) for home in homes):
        raise UserError(f"{shown(path)}: a link that leads out of the folder; put the file itself in its place")
    if not stat.S_ISREG(mode):
        kind = "a folder, or a link to one," if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise UserError(f"{shown(path)}: {kind} where a file should be; {AGAIN}")


def _is_cached(folder: Path) -> bool:
    """Whether a folder is laid out as in the hub's cache, where each file is a link to models--NAME/blobs."""
    return folder.resolve().parent.name == "snapshots"


def _head(path: Path) -> bytes:
    """The first eight bytes. Raises UserError for a file that may not be read."""
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read: {error.strerror}; {_RIGHT}") from None


def _read(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file. Raises UserError for anything else, a file of absurd length, or a byte order mark."""
    path, longest = folder / name, _LONGEST_JSON.get(name, _LONGEST_OTHER)
    _check_regular(folder, path)
    if (size := path.stat().st_size) > longest:
        raise UserError(f"{path}: {size} bytes, over {longest}; {AGAIN}")
    if _head(path).startswith(b"\xef\xbb\xbf"):
        raise UserError(f"{path}: begins with a byte order mark, which transformers cannot read; save it as UTF-8 without one")
    return read_json(path, AGAIN)


# --- configuration and weights ---


def _read_config(folder: Path) -> dict[str, Any]:
    """config.json. Raises UserError where there is none, or one that is not of our kind."""
    path = folder / "config.json"
    try:
        path.lstat()
    except FileNotFoundError:
        raise UserError(f"{folder}: no config.json in it; name the folder that a model was published to") from None
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read: {error.strerror}; {_RIGHT}") from None
    record = _read(folder, "config.json")
    if record.get("architectures") in [[kind.claims] for kind in ARCHITECTURES.values()] and (folder.parent / "config.json").is_file():
        raise UserError(f"{folder}: holds the claim head alone, for the stock pipeline; name the folder it is in, {folder.parent}")
    if "gozareh" not in record:
        raise UserError(f"{path}: no entry 'gozareh', so not a model of this kind; name a folder that `make train` or `make publish` wrote")
    return record


def _check_claim(folder: Path, kind: Architecture, schema: Schema) -> None:
    """Raise UserError for a sub-folder of the claim head that disagrees with its own weights or with the folder it is in."""
    where, record = str(folder / "config.json"), _read(folder, "config.json")
    if architecture_of(record, where) is not kind:
        raise UserError(f"{where}, field 'model_type': {short(record['model_type'])}, and another in the folder's own config.json; {AGAIN}")
    check_network(record, where, kind.claims)
    claims = read_labels(record, "id2label", where)
    check_counts(record, claims, where)
    if claims != schema.claims:
        raise UserError(f"{where}, field 'id2label': {short(claims)}, and {short(schema.claims)} in the folder's own config.json; {AGAIN}")
    _check_weights(folder, kind.claim_network(record, len(claims)))
    _check_fields(folder)
    one, other = folder / TOKENIZER, folder.parent / TOKENIZER
    if one.is_file() and other.is_file() and not filecmp.cmp(one, other, shallow=False):
        raise UserError(f"{one}: not the tokenizer of the folder it is in; {AGAIN}")


def _check_weights(folder: Path, network: Shapes) -> None:
    """Raise UserError unless the tensors in a folder's files, by their headers, are those of the network. No files, no complaint."""
    stored = {tensor: shape for name in _weight_files(folder) for tensor, shape in _header(folder / name).items()}
    if not stored:
        return
    if missing := sorted(network.keys() - stored.keys()):  # transformers would fill them with random numbers
        raise UserError(f"{folder}: its weights lack {len(missing)} tensors, such as {missing[0]}; {AGAIN}")
    if more := sorted(stored.keys() - network.keys()):
        raise UserError(f"{folder}: its weights hold {len(more)} tensors too many for config.json, such as {short(more[0])}; {AGAIN}")
    for name, shape in network.items():
        if stored[name] != shape:
            raise UserError(f"{folder}: {name} is {list(stored[name])} in the weights and {list(shape)} by config.json; {AGAIN}")


def _weight_files(folder: Path) -> list[str]:
    """Names of the files that hold a folder's weights. Raises UserError for an index that leads elsewhere or says other than they do."""
    index = folder / INDEX
    if not index.exists():
        return [SINGLE] if (folder / SINGLE).exists() else []
    weight_map = _read(folder, INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(name, str) for name in weight_map.values()):
        raise UserError(f"{index}, field 'weight_map': not an object of file names; {AGAIN}")
    names = sorted(set(weight_map.values()))
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name):  # no folder, no drive
            raise UserError(f"{index}, field 'weight_map': {short(name)} is not the name of a .safetensors file beside it; {AGAIN}")
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no weights in it ({name} is missing); {AGAIN}")
    if (folder / SINGLE).exists() and SINGLE not in names:
        raise UserError(f"{folder}: both {SINGLE} and {INDEX} in it; delete the one that is not the model's")
    held = [(tensor, name) for name in names for tensor in _header(folder / name)]
    if astray := set(held) ^ set(weight_map.items()):
        tensor, name = min(astray)
        raise UserError(f"{index}, field 'weight_map': {short(tensor)} is not where it says, or not said to be in {name}; {AGAIN}")
    return names


def _header(path: Path) -> Shapes:
    try:
        return shapes(path, AGAIN)
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read: {error.strerror}; {_RIGHT}") from None


# --- tokenizer ---


def _check_tokenizer(folder: Path, embeddings: int) -> None:
    """Raise UserError for tokenizer files that are missing, lead elsewhere, or disagree with the embeddings."""
    path = folder / TOKENIZER
    if not path.exists():  # transformers would make up a tokenizer of five tokens
        raise UserError(f"{folder}: no {TOKENIZER} in it; {AGAIN}")
    _check_fields(folder)
    check_spec(path, _read(folder, path.name), embeddings, AGAIN)


def _check_fields(folder: Path) -> None:
    """Raise UserError for a field of a tokenizer's settings that names code, or a file to read in place of the folder's."""
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        if (folder / name).exists() and (fields := sorted(filter(_LEADS_OUT.fullmatch, _read(folder, name)))):
            raise UserError(f"{folder / name}, field {short(fields[0])}: names code or a file of its own, which is never loaded; delete it")

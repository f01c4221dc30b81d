"""What a published folder's config.json says, checked field by field before a network is built of it; neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any

from .architectures import ARCHITECTURES, GLOBAL, KINDS, LOCAL, Architecture
from .errors import UserError
from .labels import Schema

FORMAT = 1  # of the folder's layout
AGAIN = "publish or fetch the model again"
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh")


@dataclass(frozen=True)
class FolderReading:
    """The entry ``gozareh`` of a folder's config.json; see ``predictor.Reading``."""

    window: int
    overlap: int
    claim_threshold: float


def check_format(entry: object, where: str) -> dict[str, Any]:
    """The entry ``gozareh`` of a configuration. Raises UserError for none, or a newer format than this code knows."""
    if not isinstance(entry, dict):
        raise UserError(f"{where}: no entry 'gozareh'; {AGAIN}")
    version = entry.get("format")
    if type(version) is int and version > FORMAT:
        raise UserError(
            f"{where}, field 'gozareh.format': made by a newer release of gozareh: it is {short(version)}, "
            f"and this version reads {FORMAT}; update gozareh"
        )
    if type(version) is not int or version != FORMAT:
        raise UserError(f"{where}, field 'gozareh.format': {short(version)} is no format, and this version reads {FORMAT}; {AGAIN}")
    return entry


def check_entry(entry: object, positions: int, where: str) -> FolderReading:
    """What the entry ``gozareh`` of a configuration says. Raises UserError for a newer format, or a missing or wrong field."""
    entry = check_format(entry, where)
    for field, kinds in (("window", (int,)), ("overlap", (int,)), ("claim_threshold", (int, float))):
        if type(entry.get(field)) not in kinds:
            raise UserError(f"{where}, field 'gozareh.{field}': {short(entry.get(field))} is no number; {AGAIN}")
    reading = FolderReading(entry["window"], entry["overlap"], entry["claim_threshold"])
    if not 0 <= reading.overlap <= reading.window - 4 <= positions - 4:
        raise UserError(
            f"{where}, field 'gozareh.window': windows of {short(reading.window)} tokens that share {short(reading.overlap)} do not fit "
            f"an encoder of {short(positions)}; {AGAIN}"
        )
    if not 0 <= reading.claim_threshold <= 1:
        raise UserError(f"{where}, field 'gozareh.claim_threshold': {short(reading.claim_threshold)} is no probability; {AGAIN}")
    return reading


def read_schema(record: Mapping[str, Any], where: str) -> Schema:
    """The label schema. Raises UserError for label maps that are none, or disagree."""
    tags, claims = read_labels(record, "id2label", where), read_labels(record, "claim_id2label", where)
    try:
        schema = Schema.from_config(dict(enumerate(tags)), dict(enumerate(claims)))
    except ValueError:
        raise UserError(f"{where}, field 'id2label': {short(tags)} is not a BIO tag set in the order O, B-X, I-X, …; {AGAIN}") from None
    check_counts(record, tags, where)
    return schema


def read_labels(record: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    """The names of a label map by id, 0 and up. Raises UserError for anything else."""
    names = record.get(field) or {}
    if not isinstance(names, dict) or set(names) != set(map(str, range(len(names)))):
        raise UserError(f"{where}, field '{field}': {short(names)} does not name ids from 0 up; {AGAIN}")
    labels = tuple(names[str(i)] for i in range(len(names)))
    if not all(isinstance(label, str) and label and label.isprintable() for label in labels) or len(set(labels)) < len(labels):
        raise UserError(f"{where}, field '{field}': {short(labels)} has a label twice, or one that is no name; {AGAIN}")
    return labels


def check_counts(record: Mapping[str, Any], labels: tuple[str, ...], where: str) -> None:
    """Raise UserError if the label map's other two forms say other than it does."""
    if record.get("label2id", inverse := {label: i for i, label in enumerate(labels)}) != inverse:
        raise UserError(f"{where}, field 'label2id': says other than 'id2label'; {AGAIN}")
    if record.get("num_labels", len(labels)) != len(labels):  # transformers would make up as many names as it says
        raise UserError(f"{where}, field 'num_labels': {short(record['num_labels'])} for the {len(labels)} of 'id2label'; {AGAIN}")


def architecture_of(record: Mapping[str, Any], where: str) -> Architecture:
    """The kind of encoder. Raises UserError for one that is not read."""
    kind = record.get("model_type")
    if not (isinstance(kind, str) and kind in ARCHITECTURES):
        raise UserError(f"{where}, field 'model_type': {short(kind)}, and only {KINDS} are read; {AGAIN}")
    return ARCHITECTURES[kind]


def check_network(record: Mapping[str, Any], where: str, *architectures: str) -> None:
    """Raise UserError for what is no encoder of possible size, or under none of these names."""
    kind, named = architecture_of(record, where), record.get("architectures")
    if named is not None and not (isinstance(named, list) and len(named) == 1 and named[0] in architectures):
        raise UserError(f"{where}, field 'architectures': {short(named)}, and only {architectures[0]} is read; {AGAIN}")
    for field in ("is_decoder", "add_cross_attention"):
        if record.get(field):
            raise UserError(f"{where}, field '{field}': {short(record[field])}, and only an encoder is read; {AGAIN}")
    for field, usual in kind.activations.items():
        if (name := record.get(field, usual)) not in _ACTIVATIONS:
            raise UserError(f"{where}, field '{field}': no activation {short(name)}; {AGAIN}")
    _check_numbers(kind, record, where)
    if "layer_types" in kind.others:
        _check_modernbert(record, size_of(kind, record, "num_hidden_layers", where), where)


def _check_numbers(kind: Architecture, record: Mapping[str, Any], where: str) -> None:
    """Raise UserError for a number that no encoder of the kind has."""
    sizes = {field: size_of(kind, record, field, where) for field in kind.sizes}
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise UserError(f"{where}, field 'num_attention_heads': {sizes['num_attention_heads']} do not divide 'hidden_size'; {AGAIN}")
    for field in kind.fractions:
        value = record.get(field)
        if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
            raise UserError(f"{where}, field '{field}': {short(value)} is not between 0 and 1; {AGAIN}")
    for field in kind.switches:
        if type(value := record.get(field, False)) is not bool:
            raise UserError(f"{where}, field '{field}': {short(value)} is neither true nor false; {AGAIN}")
    for field, usual in kind.ids.items():
        value = record.get(field, usual)
        if value is not None and not (type(value) is int and 0 <= value < sizes["vocab_size"]):
            raise UserError(f"{where}, field '{field}': {short(value)} is not the id of an embedding; {AGAIN}")
    if kind.after_padding and record.get("pad_token_id", 0) is None:
        raise UserError(f"{where}, field 'pad_token_id': none, and positions are counted from it; {AGAIN}")


def _check_modernbert(record: Mapping[str, Any], layers: int, where: str) -> None:
    """Raise UserError for a ModernBERT whose layers are of no known type, or whose claim head reads something else than the first token."""
    types, rope = record.get("layer_types"), record.get("rope_parameters")
    if types is not None and not (isinstance(types, list) and len(types) == layers and all(kind in (LOCAL, GLOBAL) for kind in types)):
        raise UserError(f"{where}, field 'layer_types': {short(types)}, not {LOCAL} or {GLOBAL} for each of {layers} layers; {AGAIN}")
    if rope is not None and not (isinstance(rope, dict) and all(map(_is_rope, rope, rope.values()))):
        raise UserError(f"{where}, field 'rope_parameters': {short(rope)}, not a plain rotation for each type of layer; {AGAIN}")
    if record.get("classifier_pooling", "cls") != "cls":
        raise UserError(f"{where}, field 'classifier_pooling': {short(record['classifier_pooling'])}, and only 'cls' is read; {AGAIN}")


def _is_rope(name: str, value: object) -> bool:
    if name not in (LOCAL, GLOBAL) or not isinstance(value, dict) or not value.keys() <= {"rope_type", "rope_theta"}:
        return False
    theta = value.get("rope_theta", 1.0)
    return value.get("rope_type", "default") == "default" and type(theta) in (int, float) and 1 <= theta <= 1e12


def size_of(kind: Architecture, record: Mapping[str, Any], field: str, where: str) -> int:
    """A size of the network. Raises UserError for one that is no number or is absurd."""
    largest, size = kind.sizes[field][1], kind.size(record, field)
    if type(size) is not int or not 1 <= size <= largest:
        raise UserError(f"{where}, field '{field}': {short(size)} is not between 1 and {largest}; {AGAIN}")
    return size

"""What a published folder's config.json says, checked field by field before a network is built of it; neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any

from .errors import UserError
from .labels import Schema

FORMAT = 1  # of the folder's layout
AGAIN = "publish or fetch the model again"
JOINT = ("BertForTokenClassification", "GozarehModel")  # what a published config.json and a saved network's call it
CLAIM = ("BertForSequenceClassification",)
Shapes = dict[str, tuple[int, ...]]

_SIZES = {  # BERT's own, where config.json says nothing, and far beyond any BERT: nothing is built of sizes over these
    "vocab_size": (30_522, 10_000_000),
    "hidden_size": (768, 16_384),
    "num_hidden_layers": (12, 256),
    "num_attention_heads": (12, 1_024),
    "intermediate_size": (3_072, 131_072),
    "max_position_embeddings": (512, 1_000_000),
    "type_vocab_size": (2, 1_000),
}
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh")
_FRACTIONS = ("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "initializer_range")
_IDS = ("pad_token_id", "bos_token_id", "eos_token_id")
_OTHERS = ("hidden_act", "architectures", "gozareh", "id2label", "label2id", "claim_id2label")
READ = frozenset((*_SIZES, *_FRACTIONS, *_IDS, *_OTHERS))  # other fields may name code, kernels or files: they are passed over


@dataclass(frozen=True)
class FolderReading:
    """The entry ``gozareh`` of a folder's config.json; see ``predictor.Reading``."""

    window: int
    overlap: int
    claim_threshold: float


def check_entry(entry: object, positions: int, where: str) -> FolderReading:
    """The entry ``gozareh`` of a configuration. Raises UserError for a newer format than this code knows, or a missing or wrong field."""
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
    for field, kinds in (("window", (int,)), ("overlap", (int,)), ("claim_threshold", (int, float))):
        if type(entry.get(field)) not in kinds:
            raise UserError(f"{where}, field 'gozareh.{field}': {short(entry.get(field))} is no number; {AGAIN}")
    reading = FolderReading(entry["window"], entry["overlap"], entry["claim_threshold"])
    if not 0 <= reading.overlap <= reading.window - 4 <= positions - 4:
        raise UserError(
            f"{where}, field 'gozareh.window': windows of {short(reading.window)} tokens that share {short(reading.overlap)} do not fit "
            f"an encoder of {positions}; {AGAIN}"
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


def check_network(record: Mapping[str, Any], where: str, architectures: tuple[str, ...]) -> None:
    """Raise UserError for what is no BERT of possible size."""
    kind, named = record.get("model_type"), record.get("architectures")
    if kind != "bert":
        raise UserError(f"{where}, field 'model_type': {short(kind)}, and only 'bert' is read; {AGAIN}")
    if named is not None and not (isinstance(named, list) and len(named) == 1 and named[0] in architectures):
        raise UserError(f"{where}, field 'architectures': {short(named)}, and only {architectures[0]} is read; {AGAIN}")
    for field in ("is_decoder", "add_cross_attention"):
        if record.get(field):
            raise UserError(f"{where}, field '{field}': {short(record[field])}, and only an encoder is read; {AGAIN}")
    if (name := record.get("hidden_act", "gelu")) not in _ACTIVATIONS:
        raise UserError(f"{where}, field 'hidden_act': no activation {short(name)}; {AGAIN}")
    _check_numbers(record, where)


def _check_numbers(record: Mapping[str, Any], where: str) -> None:
    """Raise UserError for a number that no BERT has."""
    sizes = {field: size_of(record, field, where) for field in _SIZES}
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise UserError(f"{where}, field 'num_attention_heads': {sizes['num_attention_heads']} do not divide 'hidden_size'; {AGAIN}")
    for field in _FRACTIONS:
        value = record.get(field)
        if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
            raise UserError(f"{where}, field '{field}': {short(value)} is not between 0 and 1; {AGAIN}")
    for field in _IDS:
        value = record.get(field)
        if value is not None and not (type(value) is int and 0 <= value < sizes["vocab_size"]):
            raise UserError(f"{where}, field '{field}': {short(value)} is not the id of an embedding; {AGAIN}")


def size_of(record: Mapping[str, Any], field: str, where: str) -> int:
    """A size of the network. Raises UserError for one that is no number or is absurd."""
    usual, largest = _SIZES[field]
    size = record.get(field, usual)
    if type(size) is not int or not 1 <= size <= largest:
        raise UserError(f"{where}, field '{field}': {short(size)} is not between 1 and {largest}; {AGAIN}")
    return size


def network_shapes(config: Mapping[str, Any], *, pooled: bool, **heads: int) -> Shapes:
    """The tensors of a BERT of these sizes, by name: those of ``BertModel`` under ``bert.``, and linear heads of so many outputs each."""
    words, width, layers, _, inner, positions, types = (config.get(field, usual) for field, (usual, _) in _SIZES.items())
    embeddings = "bert.embeddings."
    shapes = {
        f"{embeddings}word_embeddings.weight": (words, width),
        f"{embeddings}position_embeddings.weight": (positions, width),
        f"{embeddings}token_type_embeddings.weight": (types, width),
    } | _norm(f"{embeddings}LayerNorm", width)
    for i in range(layers):
        layer = f"bert.encoder.layer.{i}."
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{layer}attention.self.{part}", width, width)
        shapes |= _linear(f"{layer}attention.output.dense", width, width) | _norm(f"{layer}attention.output.LayerNorm", width)
        shapes |= _linear(f"{layer}intermediate.dense", inner, width)
        shapes |= _linear(f"{layer}output.dense", width, inner) | _norm(f"{layer}output.LayerNorm", width)
    if pooled:
        shapes |= _linear("bert.pooler.dense", width, width)
    for name, outputs in heads.items():
        shapes |= _linear(name, outputs, width) if outputs else {}
    return shapes


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

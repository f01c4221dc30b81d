"""A run's YAML file -> frozen dataclasses. A key that is unknown, missing or mistyped is an error that names file, line and key."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from . import files
from .errors import UserError

SEEDS = 2**32  # numpy's generators take no more


@dataclass(frozen=True)
class EncoderSettings:
    """``source``: a folder, a hub name, or ``offline:NAME``; ``trim``: cut the vocabulary to the pieces that Persian text can use."""

    source: str
    trim: bool = False


@dataclass(frozen=True)
class AnnotateSettings:
    """``articles``: files or folders to label; ``output``: the weak labels, by default ``runs/NAME/weak.jsonl``; ``licences``: where not
    empty, an article that states a licence which begins with none of them is left out; ``exclude``: ids of articles to leave out (those
    that measure must not train); ``topic``: words; of articles that hold none of them at most ``limit`` are taken from each path, at even
    distances (``limit`` 0: all); ``reviews``: files of labels by hand (see ``annotate.reviews``) that go before the rules', each
    sentence then counting ``review_weight`` times.
    """

    articles: tuple[str, ...] = ()
    output: str = ""
    gold: str | None = None
    label_model: str = "majority"
    licences: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    topic: tuple[str, ...] = ()
    limit: int = 0
    reviews: tuple[str, ...] = ()
    review_weight: float = 1.0

    def __post_init__(self) -> None:
        _within(self, 0, math.inf, "limit", "review_weight")


@dataclass(frozen=True)
class DataSettings:
    """Somebody else's hand labels in place of weak ones, tokens and tags (see ``train.conll``): files to ``train`` on, files that choose
    the checkpoint, files to measure on. The model then has their span types and no claim head.
    """

    train: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.train) != bool(self.held_out):
            raise ValueError("'train' and 'held_out' go together: name files for both")


@dataclass(frozen=True)
class AugmentSettings:
    """``copies`` noisy copies of each sentence, and ``rare_copies`` more of one that holds a span of the rarest type (class balance); the
    others are probabilities, a sentence (spelling) or a mention (replacement). ``made_mentions``: of a replaced PERSON or NUMBER, that
    of one made of the lexicons or the grammar (see train.mentions) in place of one that the examples hold.
    """

    copies: int = 2
    rare_copies: int = 0
    mention_replacement: float = 0.5
    made_mentions: float = 0.0
    lost_zwnj: float = 0.3
    spaced_zwnj: float = 0.1
    arabic_letters: float = 0.15
    digit_script: float = 0.4

    def __post_init__(self) -> None:
        _within(self, 0, 100, "copies", "rare_copies")
        _within(self, 0, 1, "mention_replacement", "made_mentions", "lost_zwnj", "spaced_zwnj", "arabic_letters", "digit_script")


@dataclass(frozen=True)
class TrainSettings:
    """``held_out``: ids of the articles that choose the checkpoint (empty: see train.dataset.split_by_article); ``written``: files of
    sentences labelled by hand to train on besides, each counting ``annotate.review_weight`` times; ``batch_size``: sentences a step, over
    all processes; ``layer_decay``: factor by which each layer's learning rate falls below the one above it; ``max_steps``: 0 for none;
    ``evaluations``: how often in a run the held-out articles are read; ``keep``: which checkpoint, the ``best`` on them or the ``last``;
    ``save_steps``: a checkpoint to resume from every so many steps too (0: at the evaluations alone); ``consistency``: how much it counts
    that two readings of a sentence, with other units dropped out, differ (0: each is read once; else a step takes twice as long).

    How it is computed, which changes no result but by rounding: ``tokens``: most tokens in one pass of the network, halved where memory
    runs out, with more passes a step; ``packing``: sentences one after another in place of padding; ``precision``: ``fp32``, ``bf16`` or
    ``auto``, bf16 where it is fast; ``compile``: torch.compile; ``deterministic``: the same result to the bit each time on a GPU too,
    more slowly. ``report_to``: transformers' integrations to log to, such as tensorboard; ``logging_steps``: how often (0: five times an
    evaluation).
    """

    held_out: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    epochs: float = 10
    max_steps: int = 0
    batch_size: int = 16
    learning_rate: float = 5e-5
    head_learning_rate: float = 1e-3
    layer_decay: float = 0.9
    weight_decay: float = 0.01
    warmup: float = 0.1
    evaluations: int = 5
    keep: str = "best"
    save_steps: int = 0
    consistency: float = 0.0
    tokens: int = 16384
    packing: bool = True
    precision: str = "auto"
    compile: bool = False
    deterministic: bool = False
    report_to: tuple[str, ...] = ()
    logging_steps: int = 0

    def __post_init__(self) -> None:
        if self.keep not in ("best", "last"):
            raise ValueError(f"'keep' is {self.keep!r}, neither best nor last")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"'precision' is {self.precision!r}, none of auto, fp32 and bf16")
        _within(self, 1, math.inf, "batch_size", "evaluations", "tokens")
        _within(
            self,
            0,
            math.inf,
            *("epochs", "max_steps", "learning_rate", "head_learning_rate", "weight_decay", "save_steps", "consistency", "logging_steps"),
        )
        _within(self, 0, 1, "layer_decay", "warmup")


@dataclass(frozen=True)
class ReviewSettings:
    """A second stage, on the sentences whose claim was read or that were written and as many others: ``epochs`` (0: none),
    ``learning_rate``, and ``share``, how much of its weights the network takes over, the rest staying the first stage's. ``network``: a
    published folder, whose network goes before it in place of a first stage and labels the others with the rules (see ``self_training``);
    ``layers``: how many of the upper layers learn, with the heads (0: the whole network); ``runs``: how many networks learn so, each with
    a seed of its own, to be averaged.
    """

    epochs: float = 0
    learning_rate: float = 1e-4
    share: float = 1.0
    network: str = ""
    layers: int = 0
    runs: int = 1

    def __post_init__(self) -> None:
        if self.network and not self.epochs:
            raise ValueError("'network' is to be reviewed, and 'epochs' is 0")
        _within(self, 0, math.inf, "epochs", "learning_rate", "layers")
        _within(self, 1, 100, "runs")
        _within(self, 0, 1, "share")


@dataclass(frozen=True)
class SelfTrainingSettings:
    """``rounds``: how often a network labels the text for the next one; ``confidence``: the score from which its span beats the rules
    (null: their spans stay); ``trust``: the share of its claim distribution in the mixture with theirs.
    """

    rounds: int = 0
    confidence: float | None = 0.9
    trust: float = 0.7

    def __post_init__(self) -> None:
        _within(self, 0, 10, "rounds")
        _within(self, 0, 1, "trust", *(["confidence"] if self.confidence is not None else []))


@dataclass(frozen=True)
class DistilSettings:
    """``layers``: how many of a published network's, ``encoder.source``, learn from all of it, labels aside (0: train on labels)."""

    layers: int = 0

    def __post_init__(self) -> None:
        _within(self, 0, math.inf, "layers")


@dataclass(frozen=True)
class PredictSettings:
    """How the model reads: tokens a window (special ones included), tokens windows share, the score under which no claim is given."""

    window: int = 256
    overlap: int = 64
    claim_threshold: float = 0.5

    def __post_init__(self) -> None:
        _within(self, 0, 1, "claim_threshold")
        _within(self, 8, math.inf, "window")
        _within(self, 0, self.window - 4, "overlap")  # a window has two special tokens and must move on


def _within(record: object, low: float, high: float, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if not low <= value <= high:
            raise ValueError(f"'{name}' is {value}, not within {low} and {high}")
        if value == math.inf:
            raise ValueError(f"'{name}' is {value}; give a finite number")


@dataclass(frozen=True)
class Settings:
    """One run, on weak labels (``annotate``) or on hand labels (``data``). ``name`` is the file's, and ``runs/NAME`` holds all that it
    writes; ``gold`` names the files it is measured on; ``licence`` is the one under which its weights may be published, by its id on the
    hub.
    """

    encoder: EncoderSettings
    annotate: AnnotateSettings = field(default_factory=AnnotateSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    review: ReviewSettings = field(default_factory=ReviewSettings)
    self_training: SelfTrainingSettings = field(default_factory=SelfTrainingSettings)
    distil: DistilSettings = field(default_factory=DistilSettings)
    predict: PredictSettings = field(default_factory=PredictSettings)
    gold: tuple[str, ...] = ()
    licence: str | None = None
    seed: int = 13
    name: str = ""

    def __post_init__(self) -> None:
        _within(self, 0, SEEDS - 1, "seed")
        if bool(self.annotate.articles) == bool(self.data.train):
            raise ValueError("name either articles to label, 'annotate.articles', or labelled files, 'data.train'")
        if self.data.train and self.train.written:
            raise ValueError("'train.written' goes with articles; name its sentences under 'data.train'")
        if self.data.train and self.self_training.rounds:
            raise ValueError("'self_training.rounds' goes with articles; the spans under 'data.train' are a hand's and stay")
        if self.review.network and self.self_training.rounds:
            raise ValueError("'review.network' goes on once with one network; leave out 'self_training.rounds'")
        if self.distil.layers and self.encoder.trim:
            raise ValueError("'distil.layers' keeps the teacher's vocabulary; leave out 'encoder.trim'")
        if self.distil.layers and (self.review.epochs or self.self_training.rounds):
            raise ValueError("'distil.layers' is a run by itself; leave out 'review.epochs' and 'self_training.rounds'")
        if self.distil.layers and self.train.consistency:
            raise ValueError("'distil.layers' drops nothing out, so that readings never differ; leave out 'train.consistency'")

    @property
    def folder(self) -> Path:
        """Where the run writes."""
        return Path("runs") / self.name

    def reseeded(self, number: int) -> Settings:
        """The run with the seed so many after its own; after the highest comes 0."""
        return replace(self, seed=(self.seed + number) % SEEDS)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Read a run's settings; each override is ``key=value`` with a dotted key (``train.epochs=3``) and a YAML value.

    Raises UserError for a file that is missing or not YAML, and for unknown, missing or mistyped keys.
    """
    try:
        root = yaml.compose(files.read_text(path), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}, line {_line(error)}: not valid YAML: {_one_line(error)}") from None
    if not isinstance(root, yaml.MappingNode):
        raise UserError(f"{path}: expected a mapping of settings; see configs/compact.yaml")
    settings = _build(Settings, root, str(path), "")
    if settings.name not in ("", Path(path).stem):
        raise UserError(f"{path}, field 'name': '{settings.name}' is not the file's name; leave it out")
    settings = dataclasses.replace(settings, name=Path(path).stem)
    settings = _overridden(settings, overrides)
    output = settings.annotate.output or str(settings.folder / "weak.jsonl")
    return dataclasses.replace(settings, annotate=dataclasses.replace(settings.annotate, output=output))


Record = TypeVar("Record")


def _build(kind: type[Record], node: yaml.Node, path: str, prefix: str) -> Record:
    """A dataclass from a YAML mapping, section by section."""
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{_place(path, node)}, field '{prefix.rstrip('.')}': expected a mapping")
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        where = f"{_place(path, key_node)}, field '{prefix}{key}'"
        if key not in hints:
            raise UserError(f"{where}: unknown key{_nearest(key, hints)}")
        if key in values:
            raise UserError(f"{where}: given twice; keep one")
        if dataclasses.is_dataclass(hints[key]):
            values[key] = _build(typing.cast(type[Any], hints[key]), value_node, path, f"{prefix}{key}.")
        else:
            values[key] = _convert(_construct(value_node, where), hints[key], where)
    for f in dataclasses.fields(typing.cast(Any, kind)):
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and f.name not in values:
            raise UserError(f"{path}: missing key '{prefix}{f.name}'; add it")
    try:
        return kind(**values)
    except ValueError as error:  # of a __post_init__
        raise UserError(f"{_place(path, node)}, section '{prefix.rstrip('.') or kind.__name__}': {error}") from None


def _construct(node: yaml.Node, where: str) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:  # an unknown tag; a date that is none
        raise UserError(f"{where}: not a value: {_one_line(error)}") from None


def _line(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 1


def _one_line(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).partition("\n")[0]


def _overridden(settings: Settings, overrides: Sequence[str]) -> Settings:
    """``settings`` with dotted keys changed, all at once: a value may be right only beside another."""
    changes: dict[str, Any] = {}
    for override in overrides:
        _override(settings, override, changes)

    def changed(record: Any, changes: dict[str, Any]) -> Any:
        new = {name: changed(getattr(record, name), to) if isinstance(to, dict) else to for name, to in changes.items()}
        return dataclasses.replace(record, **new)

    try:
        result = changed(settings, changes)
    except ValueError as error:  # of a __post_init__
        raise UserError(f"command line, '{' '.join(overrides)}': {error}") from None
    assert isinstance(result, Settings)
    return result


def _override(settings: Settings, override: str, changes: dict[str, Any]) -> None:
    """Note the value of one dotted key in ``changes``, where each section has a dictionary."""
    key, equals, text = override.partition("=")
    where = f"command line, '{override}'"
    if not equals:
        raise UserError(f"{where}: expected key=value, such as train.epochs=3")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise UserError(f"{where}: the value is not valid YAML") from None
    if key == "name":
        raise UserError(f"{where}: a run is named by its file; copy the file")
    record: Any = settings
    *sections, last = key.split(".")
    for section in sections:
        record = _setting(record, section, where, section=True)
        changes = changes.setdefault(section, {})
    _setting(record, last, where, section=False)
    changes[last] = _convert(value, typing.get_type_hints(type(record))[last], where)


def _setting(record: Any, name: str, where: str, *, section: bool) -> Any:
    """What ``record`` has under a name, a section or a value. Raises UserError if it has none, or the other."""
    hints = typing.get_type_hints(type(record))
    if name not in hints:
        raise UserError(f"{where}: unknown key{_nearest(name, hints)}")
    current = getattr(record, name)
    if dataclasses.is_dataclass(current) != section:
        raise UserError(f"{where}: name one setting of a section, such as train.epochs=3")
    return current


def _convert(value: Any, kind: Any, where: str) -> Any:
    """A YAML value as the type that a field declares: tuples from lists, floats also from integers and «1e-4»."""
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise UserError(f"{where}: expected a list, found {value!r}")
        return tuple(_convert(item, typing.get_args(kind)[0], where) for item in value)
    allowed = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if float in allowed and isinstance(value, str):  # YAML 1.1 reads 1e-4, with no point, as a string
        try:
            return float(value)
        except ValueError:
            pass
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf  # which every limit refuses
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        names = " or ".join("nothing" if k is type(None) else k.__name__ for k in allowed)
        raise UserError(f"{where}: expected {names}, found {value!r}")
    return value


def _place(path: str, node: yaml.Node) -> str:
    return f"{path}, line {node.start_mark.line + 1}"


def _nearest(key: str, known: typing.Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"

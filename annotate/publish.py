"""The weak labels as a folder that ``datasets.load_dataset`` opens, with a dataset card.

    README.md               the card; its metadata names the splits' files
    data/SPLIT.parquet      train, validation, test; the features are in the files

``test`` is the gold: its sentences with the labels by hand, and no weak ones. An article that has gold sentences is in no other split. Of
the other articles, in the order of their ids' digests, the first tenth, rounded up, is ``validation``: nothing but the ids decides.

Text is handed on where its article states a licence; what states none is left out unless it is asked for, and the caller hears of it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
from datasets.arrow_dataset import Dataset
from datasets.features import ClassLabel, Features, List, Value
from datasets.load import load_dataset
from huggingface_hub import DatasetCard, DatasetCardData

from models.errors import UserError
from models.files import write_folder
from models.labels import CLAIMS, NO_CLAIM, SPAN_TYPES, Schema
from models.records import Example, Range, digest, overlap
from models.text import words

TEMPLATE = Path(__file__).with_name("card.md")
VALIDATION = 10  # one article in so many
NOT_STATED = (None, "", "none stated")
NO_LABEL = -1  # datasets' own id for a ClassLabel that is missing
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
KIND = "weakly labelled Persian news"  # in each card's metadata: by it a folder is known as one of ours
LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0")  # the hub's ids of those met

_RANGE = {"start": Value("int32"), "end": Value("int32")}
_COLUMNS: dict[str, Any] = {
    "id": Value("string"),
    "article": Value("string"),
    "text": Value("string"),
    "words": List(Value("string")),
    "offsets": List(dict(_RANGE)),
    "tags": List(ClassLabel(names=list(Schema().tags))),
    "spans": List({"label": ClassLabel(names=list(SPAN_TYPES)), **_RANGE, "score": Value("float64")}),
    "claim": ClassLabel(names=[*CLAIMS, NO_CLAIM]),
    "claim_scores": {claim: Value("float64") for claim in CLAIMS},
    "unsure": List(dict(_RANGE)),
    "weight": Value("float64"),
    "source": Value("string"),
    "licence": Value("string"),
}
FEATURES = Features(_COLUMNS)  # type: ignore[no-untyped-call, arg-type]


@dataclass(frozen=True, slots=True)
class Splits:
    """The examples of each split by its name, and how many articles were left out for want of a stated licence."""

    examples: Mapping[str, Sequence[Example]]
    unlicensed: int


def split(weak: Sequence[Example], gold: Sequence[Example], *, unlicensed: bool = False) -> Splits:
    """Weak labels and gold as splits; one that would be empty is not among them. Gold has its article's source and licence, if none of its
    own.

    Raises UserError where nothing is left to train on or to validate with.
    """
    origins = {example.article: example for example in weak}
    gold = [replace(e, source=e.source or o.source, licence=e.licence or o.licence) for e in gold for o in [origins.get(e.article, e)]]
    silent = {example.article for example in (*weak, *gold) if example.licence in NOT_STATED}
    left_out = set() if unlicensed else silent
    measured = {example.article for example in gold}
    articles = sorted({example.article for example in weak} - measured - left_out, key=digest)
    if len(articles) < 2:
        more = ", or add --publish-unlicensed if their text may be handed on" if left_out - measured else ""
        raise UserError(
            f"--publish: of {len(origins)} articles {len(articles)} are left for train and validation: {len(measured & set(origins))} have "
            f"gold, {len(left_out & set(origins))} state no licence; name more articles{more}"
        )
    validation = set(articles[: -(-len(articles) // VALIDATION)])
    training = set(articles) - validation
    examples = {
        "train": [example for example in weak if example.article in training],
        "validation": [example for example in weak if example.article in validation],
        "test": [example for example in gold if example.article not in left_out],
    }
    return Splits({name: chosen for name, chosen in examples.items() if chosen}, len(left_out))


def row(example: Example) -> dict[str, Any]:
    """An example in the form of ``FEATURES``.

    A word's tag is that of the span it is in, in whole or in part; -1, no label, in a sentence without span labels and where it touches an
    unsure stretch.
    """
    ranges = words(example.text)
    return {
        "id": example.id,
        "article": example.article,
        "text": example.text,
        "words": [example.text[start:end] for start, end in ranges],
        "offsets": [{"start": start, "end": end} for start, end in ranges],
        "tags": [_tag(example, word) for word in ranges],
        "spans": [{"label": s.label, "start": s.start, "end": s.end, "score": round(s.score, 4)} for s in example.spans or ()],
        "claim": example.claim or NO_LABEL,
        "claim_scores": None if (scores := example.claim_scores) is None else {c: round(scores.get(c, 0.0), 4) for c in CLAIMS},
        "unsure": [{"start": start, "end": end} for start, end in example.unsure],
        "weight": example.weight,
        "source": example.source,
        "licence": example.licence,
    }


def _tag(example: Example, word: Range) -> int:
    if example.spans is None or any(overlap(word, stretch) for stretch in example.unsure):
        return NO_LABEL
    span = next((s for s in example.spans if overlap(s.range, word)), None)
    if span is None:
        return 0
    return Schema().begin(span.label) if span.start >= word[0] else Schema().inside(span.label)


def check_place(folder: Path) -> None:
    """Raises UserError for a folder that holds something other than an older data set of ours."""
    if folder.exists() and not (folder.is_dir() and _is_ours(folder)):
        raise UserError(f"{folder}: holds something other than a published data set; name a new or empty folder")


def _is_ours(folder: Path) -> bool:
    """Whether all of a folder is what ``publish`` writes. Names alone do not tell: README.md and data/ are any data set's on the hub."""
    files = {"README.md", "data", *(f"data/{name}.parquet" for name in ("train", "validation", "test"))}
    if not all(path.relative_to(folder).as_posix() in files for path in folder.rglob("*")):
        return False
    card = folder / "README.md"
    return not any(folder.iterdir()) or (card.is_file() and KIND.encode() in card.read_bytes().split(b"\n---\n", 1)[0])


def publish(splits: Splits, folder: Path, *, name: str, label_model: str) -> None:
    """Write the data set ``name`` beside its place, open it with ``load_dataset``, and only then put it there (see ``files.write_folder``).

    Raises UserError for a folder that holds something else.
    """
    with write_folder(folder, check_place) as new, tempfile.TemporaryDirectory() as cache:
        (new / "data").mkdir()
        for split_name, examples in splits.examples.items():
            Dataset.from_list([row(example) for example in examples], features=FEATURES).to_parquet(new / "data" / f"{split_name}.parquet")
        (new / "README.md").write_text(card(splits, name=name, label_model=label_model), encoding="utf-8")
        check(new, splits, Path(cache))


def check(folder: Path, splits: Splits, cache: Path) -> None:
    """Open the folder as a user does. Raises RuntimeError if features or rows are not those that were written."""
    read = load_dataset(str(folder), cache_dir=str(cache))
    rows = {name: len(examples) for name, examples in splits.examples.items()}
    if read.num_rows != rows or any(part.features != FEATURES for part in read.values()):
        raise RuntimeError(f"{folder}: load_dataset reads {read}, not the splits {rows}")


def card(splits: Splits, *, name: str, label_model: str) -> str:
    """The data set card, metadata first."""
    everything = [example for examples in splits.examples.values() for example in examples]
    origins = Counter((e.source or "a file of one's own", "none stated" if e.licence in NOT_STATED else e.licence) for e in everything)
    rows = [
        {
            "name": split_name,
            "articles": len({example.article for example in examples}),
            "sentences": len(examples),
            "spans": sum(len(example.spans or ()) for example in examples),
            "claims": sum(example.claim in CLAIMS for example in examples),
        }
        for split_name, examples in splits.examples.items()
    ]
    data = DatasetCardData(
        language="fa",
        license=sorted({_licence_id(licence) for _, licence in origins}),
        annotations_creators=["machine-generated", "expert-generated"] if "test" in splits.examples else ["machine-generated"],
        language_creators="found",
        multilinguality="monolingual",
        size_categories=next((size for most, size in SIZES.items() if len(everything) < most), "n>1M"),
        source_datasets=["original"],
        task_categories=["token-classification", "text-classification"],
        task_ids=["named-entity-recognition", "multi-class-classification"],
        pretty_name=f"{name}: {KIND}",
        tags=["persian", "news", "weak-supervision"],
        configs=[{"config_name": "default", "data_files": [{"split": part, "path": f"data/{part}.parquet"} for part in splits.examples]}],
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=data.to_yaml(),
        name=name,
        splits=rows,
        origins=[(source, licence, count) for (source, licence), count in sorted(origins.items())],
        label_model=label_model,
        reviewed=sum(e.claim_by_hand for part, examples in splits.examples.items() if part != "test" for e in examples),
        unlicensed=splits.unlicensed,
        tags=FEATURES["tags"].feature.names,
    )
    return str(DatasetCard(text))  # read by the hub's own parser, so that metadata it refuses is never written


def _licence_id(licence: str) -> str:
    """The hub's id of a licence that begins as one does («CC-BY-SA-4.0 (Persian Wikipedia)»), or "other"."""
    first = licence.split(maxsplit=1)[0].rstrip(",;").lower()
    return first if first in LICENCES else "other"

"""``python -m train.suspects --config FILE``: the weak labels that are likeliest wrong, worst first, for a person to read.

Confident learning (Northcutt et al. 2021, the package cleanlab): a label is suspected where a model gives it less than it gives that label
where it is right. A model doubts little that it was trained on: most telling are the ``held_out`` rows, and a model, ``--model``, that has
seen none of the sentences.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import files, settings
from models.encoding import Floats
from models.errors import ArgumentParser, UserError, command
from models.labels import Schema
from models.predictor import Predictor, load
from models.records import Example, PredictedSentence, Range, Span, digest, overlap, read_examples

from .dataset import split_by_article

Words = tuple[Sequence[Range], Floats]  # of a sentence: its words, and their tags' probabilities, (words, tags)


def claim_doubts(examples: Sequence[Example], read: Sequence[PredictedSentence], schema: Schema) -> dict[int, float]:
    """The examples whose claim is suspected, by place: the model's probability of the label."""
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - an extra, and slow to import
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    asked = [
        (i, e.claim, p.claim.scores) for i, (e, p) in enumerate(zip(examples, read, strict=True)) if e.claim in schema.claims and p.claim
    ]
    if len({claim for _, claim, _ in asked}) < 2:  # where there is one class, none is likelier
        return {}
    labels = np.array([schema.claims.index(claim) for _, claim, _ in asked])
    scores = np.array([[of[claim] for claim in schema.claims] for _, _, of in asked])
    scores /= scores.sum(axis=1, keepdims=True)
    quality = get_label_quality_scores(labels, scores)
    issues = find_label_issues(labels, scores, return_indices_ranked_by="self_confidence", n_jobs=1)
    return {asked[issue][0]: float(quality[issue]) for issue in issues}


def span_doubts(examples: Sequence[Example], read: Sequence[Words], schema: Schema) -> dict[int, float]:
    """The examples with a suspected word, by place: the model's least probability of a word's tag. Unsure stretches are not asked of."""
    from cleanlab.token_classification.filter import find_label_issues  # noqa: PLC0415 - see claim_doubts
    from cleanlab.token_classification.rank import get_label_quality_scores  # noqa: PLC0415

    asked: dict[int, tuple[list[int], Floats]] = {}
    for i, (example, (ranges, probabilities)) in enumerate(zip(examples, read, strict=True)):
        sure = [k for k, word in enumerate(ranges) if not any(overlap(word, stretch) for stretch in example.unsure)]
        if sure and example.spans is not None:
            asked[i] = [_tag(ranges[k], example.spans, schema) for k in sure], probabilities[sure]
    if not asked:
        return {}
    labels, scores = map(list, zip(*asked.values(), strict=True))
    quality, _ = get_label_quality_scores(labels, scores)
    issues = find_label_issues(labels, scores, n_jobs=1)
    places = list(asked)
    return {places[sentence]: float(quality[sentence]) for sentence, _ in issues}


def _tag(word: Range, spans: Sequence[Span], schema: Schema) -> int:
    span = next((span for span in spans if overlap(span.range, word)), None)
    return 0 if span is None else schema.begin(span.label) if span.start >= word[0] else schema.inside(span.label)


def suspects(examples: Sequence[Example], predictor: Predictor) -> list[dict[str, Any]]:
    """A row for each suspected example, the likeliest error first: a review (see ``annotate.reviews``) that waits for its answers."""
    texts = [example.text for example in examples]
    read = predictor.read(texts)
    claims = claim_doubts(examples, read, predictor.schema)
    spans = span_doubts(examples, predictor.word_probabilities(texts), predictor.schema)
    rows = []
    for i in {*claims, *spans}:
        doubts = {head: round(found[i], 4) for head, found in (("claim", claims), ("spans", spans)) if i in found}
        rows.append(_row(examples[i], read[i], doubts))
    return sorted(rows, key=lambda row: (row["score"], row["id"]))


def _row(example: Example, read: PredictedSentence, doubts: Mapping[str, float]) -> dict[str, Any]:
    claim = read.claim
    return {
        "score": min(doubts.values()),
        "doubts": doubts,
        "id": example.id,
        "text": example.text,
        "weak": {"claim": example.claim, "spans": _spans(example.spans or ())},
        "model": {"claim": claim and max(claim.scores, key=claim.scores.__getitem__), "spans": _spans(read.spans)},
        "sentence": digest(example.text),
        "article": example.article,
        "claim": None,
        "types": [],
        "entities": [],
    }


def check_unanswered(path: Path) -> None:
    """Raise UserError for a file in which somebody has filled in rows: a new one in its place would lose what was read."""
    if path.is_file():
        for number, row in files.parse_jsonl(files.read_text(path), str(path)):
            if row.get("claim") or row.get("types"):
                raise UserError(f"{path}, line {number}: holds an answer; move the file, name it in 'annotate.reviews', or give --output")


def _spans(spans: Iterable[Span]) -> list[dict[str, Any]]:
    return [{"start": span.start, "end": span.end, "label": span.label, "text": span.text} for span in spans]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Write the suspected weak labels of a run."""
    parser = ArgumentParser(prog="python -m train.suspects", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's YAML file")
    parser.add_argument("--model", metavar="FOLDER", help="the model that reads (default runs/NAME/published)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="in place of runs/NAME/suspects.jsonl")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change")
    options = parser.parse_args(argv)
    if importlib.util.find_spec("cleanlab") is None:
        raise UserError("the package cleanlab is not installed; pip install 'gozareh[review]'")
    run = settings.load(options.config, options.overrides)
    output = options.output or run.folder / "suspects.jsonl"
    files.check_apart(output, [run.annotate.output, *run.annotate.reviews])
    check_unanswered(output)
    labelled = read_examples(run.annotate.output)
    held_out = {example.id for example in split_by_article(labelled, run.train.held_out)[1]}
    reviewed = {record.get("sentence") for path in run.annotate.reviews for _, record in files.parse_jsonl(files.read_text(path), path)}
    examples = [example for example in labelled if digest(example.text) not in reviewed]
    predictor = load(options.model or run.folder / "published")
    if predictor.schema != Schema():
        raise UserError(f"--model: {options.model} reads other labels than the weak ones; name a model of this project's labels")
    rows = suspects(examples, predictor)
    with files.write_whole(output) as out:
        out.writelines(files.to_json(row | {"held_out": row["id"] in held_out}) + "\n" for row in rows)
    print(f"{output}: {len(rows)} of {len(examples)} sentences have a label that is likely wrong; the likeliest come first")
    return 0


if __name__ == "__main__":
    sys.exit(main())

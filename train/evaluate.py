"""How good a trained model is, against gold or weak labels: figures and tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from seqeval.metrics.sequence_labeling import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from models.labels import CLAIMS, NO_CLAIM, OUTSIDE, SPAN_TYPES
from models.predictor import Predictor
from models.records import Example, PredictedSentence, Range, Span, overlap
from models.scoring import MICRO, claim_scores, span_scores
from models.text import words

BINS = 10


def evaluate(predictor: Predictor, examples: Sequence[Example]) -> dict[str, Any]:
    """Read the examples' sentences and score what was read; see ``score``."""
    return score(examples, predictor.read([example.text for example in examples]), predictor.schema.span_types)


def score(examples: Sequence[Example], read: Sequence[PredictedSentence], span_types: Sequence[str] = SPAN_TYPES) -> dict[str, Any]:
    """Figures of predictions against labels, as plain JSON types.

    ``spans`` and ``partial``: precision, recall, F1 by type and ``micro``, exact and by overlap; ``claims``: accuracy, macro-F1, confusion,
    expected calibration error (Naeini et al. 2015), the tables that reliability and coverage are drawn from; ``sentence_accuracy``: share
    of sentences with every span and the claim right; ``seqeval``: the same spans by the seqeval package on words. Unlabelled heads and
    unsure stretches are left out.
    """
    tagged = [
        (e, sure(e.spans or (), e.unsure), sure(p.spans, e.unsure)) for e, p in zip(examples, read, strict=True) if e.spans is not None
    ]
    gold, predicted = [spans for _, spans, _ in tagged], [spans for _, _, spans in tagged]
    chosen = [p.claim.label if p.claim else None for p in read]
    judged = [(e.claim, p.claim) for e, p in zip(examples, read, strict=True) if e.claim in CLAIMS and p.claim]
    right = [claim == max(p.scores, key=p.scores.__getitem__) for claim, p in judged]
    scores = [p.score for _, p in judged]
    reliable = reliability(scores, right)
    return {
        "sentences": len(examples),
        "spans": {label: s.to_dict() for label, s in span_scores(gold, predicted, span_types).items()},
        "partial": {label: s.to_dict() for label, s in span_scores(gold, predicted, span_types, partial=True).items()},
        "claims": claim_scores([e.claim for e in examples], chosen).to_dict()
        | {"count": len(judged), "ece": calibration_error(reliable), "reliability": reliable, "selective": selective(scores, right)},
        "sentence_accuracy": _sentence_accuracy(examples, read),
        "seqeval": _seqeval([e.text for e, _, _ in tagged], gold, predicted),
    }


def overall(report: Mapping[str, Any]) -> float:
    """The one figure that chooses: the mean of strict span F1 and claim macro-F1, or the former where no claim was read."""
    spans, claims = report["spans"][MICRO]["f1"], report["claims"]["macro_f1"]
    return float((spans + claims) / 2 if report["claims"]["count"] else spans)


def sure(spans: Iterable[Span], unsure: Sequence[Range]) -> tuple[Span, ...]:
    """The spans that touch no unsure stretch: those that count."""
    return tuple(span for span in spans if not any(overlap(span.range, stretch) for stretch in unsure))


def _sentence_accuracy(examples: Sequence[Example], read: Sequence[PredictedSentence]) -> float:
    """JointBERT's whole-sentence ("frame") accuracy: every span and the claim; to abstain is right where gold says NONE."""

    def exact(example: Example, predicted: PredictedSentence) -> bool:
        claim = predicted.claim.label if predicted.claim else None
        same_claim = example.claim is None or (claim or NO_CLAIM) == example.claim
        a, b = ({(s.label, s.range) for s in sure(spans, example.unsure)} for spans in (example.spans or (), predicted.spans))
        return same_claim and (example.spans is None or a == b)

    return round(statistics.fmean(map(exact, examples, read)), 4) if examples else 0.0


def reliability(scores: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[dict[str, float]]:
    """Equal-width bins of scores that hold any: each one's mean score, accuracy and count."""
    values, hits = np.asarray(scores), np.asarray(right, dtype=float)
    index = np.minimum((values * bins).astype(int), bins - 1)
    filled = [index == b for b in range(bins) if (index == b).any()]
    return [{"score": round(values[b].mean(), 4), "accuracy": round(hits[b].mean(), 4), "count": int(b.sum())} for b in filled]


def calibration_error(reliable: Sequence[Mapping[str, float]]) -> float:
    """Expected calibration error of a reliability table: the mean gap between score and accuracy, weighted by the bins' counts."""
    total = sum(b["count"] for b in reliable)
    return round(sum(abs(b["score"] - b["accuracy"]) * b["count"] for b in reliable) / total, 4) if total else 0.0


def selective(scores: Sequence[float], right: Sequence[bool], points: int = 20) -> list[dict[str, float]]:
    """How right the claims are that stay where those under a score are given up: from the highest score down to all of them."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.cumsum(np.asarray(right, dtype=float)[order])
    kept = sorted({-(-len(order) * i // points) for i in range(1, points + 1)} - {0})
    return [{"score": scores[order[n - 1]], "coverage": round(n / len(order), 4), "accuracy": round(hits[n - 1] / n, 4)} for n in kept]


def _seqeval(texts: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, float]:
    true, guess = ([_word_tags(text, spans) for text, spans in zip(texts, side, strict=True)] for side in (gold, predicted))
    if not any(tag != OUTSIDE for tags in (*true, *guess) for tag in tags):
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    functions: dict[str, Callable[..., float]] = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    return {name: round(float(f(true, guess, mode="strict", scheme=IOB2, zero_division=0)), 4) for name, f in functions.items()}


def _word_tags(text: str, spans: Sequence[Span]) -> list[str]:
    def tag(word: Range) -> str:
        span = next((s for s in spans if overlap(s.range, word)), None)
        return OUTSIDE if span is None else f"{'B' if span.start >= word[0] else 'I'}-{span.label}"

    return list(map(tag, words(text)))


def table(report: Mapping[str, Any], title: str) -> str:
    """The figures of ``score`` for a person: a row a span type, one a claim class."""
    lines = [f"{title}: {report['sentences']} sentences", f"{'':14}{'precision':>10}{'recall':>10}{'F1':>10}{'partial F1':>12}{'gold':>7}"]
    for label, s in report["spans"].items():
        partial = report["partial"][label]["f1"]
        lines.append(f"{label:14}{s['precision']:>10.3f}{s['recall']:>10.3f}{s['f1']:>10.3f}{partial:>12.3f}{s['gold']:>7}")
    claims = report["claims"]
    if claims["count"]:
        for label, s in claims["by_class"].items():
            lines.append(f"{label:14}{s['precision']:>10.3f}{s['recall']:>10.3f}{s['f1']:>10.3f}{'':>12}{s['gold']:>7}")
        accuracy, macro_f1, ece = (claims[name] for name in ("accuracy", "macro_f1", "ece"))
        lines.append(f"claims: accuracy {accuracy:.3f}, macro-F1 {macro_f1:.3f}, calibration error {ece:.3f}")
    lines.append(f"whole sentences {report['sentence_accuracy']:.3f}; seqeval F1 {report['seqeval']['f1']:.3f}")
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its head the first row, that reads well as it is: columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])

"""How good a trained model is, against gold or weak labels: figures, tables and plots."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from seqeval.metrics.sequence_labeling import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from models.labels import CLAIMS, NO_CLAIM, OUTSIDE, SPAN_TYPES
from models.predictor import Predictor
from models.records import Example, PredictedSentence, Range, Span
from models.scoring import MICRO, claim_scores, span_scores
from models.text import words

BINS = 10


def evaluate(predictor: Predictor, examples: Sequence[Example]) -> dict[str, Any]:
    """Read the examples' sentences and score what was read; see ``score``."""
    return score(examples, predictor.read([example.text for example in examples]))


def score(examples: Sequence[Example], read: Sequence[PredictedSentence]) -> dict[str, Any]:
    """Figures of predictions against labels, as plain JSON types.

    ``spans`` and ``partial``: precision, recall, F1 by type and ``micro``, exact and by overlap; ``claims``: accuracy, macro-F1, confusion
    and expected calibration error (Naeini et al. 2015); ``sentence_accuracy``: share of sentences with every span and the claim right;
    ``seqeval``: the same spans by the seqeval package on words. Unlabelled heads and unsure stretches are left out.
    """
    tagged = [
        (e, _sure(e.spans or (), e.unsure), _sure(p.spans, e.unsure)) for e, p in zip(examples, read, strict=True) if e.spans is not None
    ]
    gold, predicted = [spans for _, spans, _ in tagged], [spans for _, _, spans in tagged]
    chosen = [p.claim.label if p.claim else None for p in read]
    judged = [(e.claim, p.claim) for e, p in zip(examples, read, strict=True) if e.claim in CLAIMS and p.claim]
    right = [claim is not None and claim == max(p.scores, key=p.scores.__getitem__) for claim, p in judged]
    return {
        "sentences": len(examples),
        "spans": {label: s.to_dict() for label, s in span_scores(gold, predicted).items()},
        "partial": {label: s.to_dict() for label, s in span_scores(gold, predicted, partial=True).items()},
        "claims": claim_scores([e.claim for e in examples], chosen).to_dict()
        | {"count": len(judged), "ece": calibration_error([p.score for _, p in judged], right)},
        "sentence_accuracy": _sentence_accuracy(examples, read),
        "seqeval": _seqeval([e.text for e, _, _ in tagged], gold, predicted),
    }


def _sure(spans: Iterable[Span], unsure: Sequence[Range]) -> tuple[Span, ...]:
    return tuple(span for span in spans if not any(start < span.end and span.start < end for start, end in unsure))


def _sentence_accuracy(examples: Sequence[Example], read: Sequence[PredictedSentence]) -> float:
    """JointBERT's whole-sentence ("frame") accuracy: every span and the claim; to abstain is right where gold says NONE."""

    def exact(example: Example, predicted: PredictedSentence) -> bool:
        claim = predicted.claim.label if predicted.claim else None
        same_claim = example.claim is None or (claim or NO_CLAIM) == example.claim
        a, b = ({(s.label, s.start, s.end) for s in _sure(spans, example.unsure)} for spans in (example.spans or (), predicted.spans))
        return same_claim and (example.spans is None or a == b)

    return round(statistics.fmean(map(exact, examples, read)), 4) if examples else 0.0


def calibration_error(scores: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """Expected calibration error: the mean gap between score and accuracy over equal-width bins, weighted by their size."""
    if not scores:
        return 0.0
    values, hits = np.asarray(scores), np.asarray(right, dtype=float)
    index = np.minimum((values * bins).astype(int), bins - 1)
    gaps = [abs(values[index == b].mean() - hits[index == b].mean()) * (index == b).mean() for b in range(bins) if (index == b).any()]
    return round(float(sum(gaps)), 4)


def _seqeval(texts: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, float]:
    true, guess = ([_word_tags(text, spans) for text, spans in zip(texts, side, strict=True)] for side in (gold, predicted))
    if not any(tag != OUTSIDE for tags in (*true, *guess) for tag in tags):
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    functions: dict[str, Callable[..., float]] = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    return {name: round(float(f(true, guess, mode="strict", scheme=IOB2, zero_division=0)), 4) for name, f in functions.items()}


def _word_tags(text: str, spans: Sequence[Span]) -> list[str]:
    def tag(start: int, end: int) -> str:
        span = next((s for s in spans if s.start < end and start < s.end), None)
        return OUTSIDE if span is None else f"{'B' if span.start >= start else 'I'}-{span.label}"

    return [tag(start, end) for start, end in words(text)]


def table(report: Mapping[str, Any], title: str) -> str:
    """The figures of ``score`` for a person: a row a span type, one a claim class."""
    lines = [f"{title}: {report['sentences']} sentences", f"{'':14}{'precision':>10}{'recall':>10}{'F1':>10}{'partial F1':>12}{'gold':>7}"]
    for label in (*SPAN_TYPES, MICRO):
        s = report["spans"][label]
        partial = report["partial"][label]["f1"]
        lines.append(f"{label:14}{s['precision']:>10.3f}{s['recall']:>10.3f}{s['f1']:>10.3f}{partial:>12.3f}{s['gold']:>7}")
    claims = report["claims"]
    for label, s in claims["by_class"].items():
        lines.append(f"{label:14}{s['precision']:>10.3f}{s['recall']:>10.3f}{s['f1']:>10.3f}{'':>12}{s['gold']:>7}")
    lines.append(
        f"claims: accuracy {claims['accuracy']:.3f}, macro-F1 {claims['macro_f1']:.3f}, calibration error {claims['ece']:.3f}; "
        f"whole sentences {report['sentence_accuracy']:.3f}; seqeval F1 {report['seqeval']['f1']:.3f}"
    )
    return "\n".join(lines)


def plot(report: Mapping[str, Any], history: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write confusion.png, learning_curve.png and f1_by_label.png to ``folder``; ``history`` is the Trainer's log."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    plots: dict[str, Callable[[Any], None]] = {
        "confusion": lambda ax: _draw_confusion(ax, report["claims"]["confusion"]),
        "learning_curve": lambda ax: _draw_learning(ax, history),
        "f1_by_label": lambda ax: _draw_f1(ax, report),
    }
    for name, draw in plots.items():
        figure = Figure(figsize=(6, 4), layout="constrained")
        draw(figure.subplots())
        figure.savefig(folder / f"{name}.png", dpi=120)
        drawn.append(folder / f"{name}.png")
    return drawn


def _draw_confusion(ax: Any, confusion: Mapping[str, Mapping[str, int]]) -> None:
    labels = list(confusion)
    counts = np.array([[confusion[gold][guess] for guess in labels] for gold in labels])
    ax.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        ax.text(column, row, str(count), ha="center", va="center", color="white" if count > counts.max() / 2 else "black")
    ax.set_xticks(range(len(labels)), labels, rotation=20)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel="predicted (NONE: abstained)", ylabel="gold", title="Claims")


def _draw_learning(ax: Any, history: Sequence[Mapping[str, Any]]) -> None:
    for key, name in (("loss", "training loss"), ("eval_span_f1", "held-out span F1"), ("eval_claim_macro_f1", "held-out claim macro-F1")):
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            ax.plot(*zip(*points, strict=True), label=name, marker="." if key != "loss" else None)
    ax.set(xlabel="step", title="Learning curve")
    ax.legend()


def _draw_f1(ax: Any, report: Mapping[str, Any]) -> None:
    bars = {label: report["spans"][label]["f1"] for label in (*SPAN_TYPES, MICRO)}
    bars |= {label: s["f1"] for label, s in report["claims"]["by_class"].items()}
    ax.bar_label(ax.bar(list(bars), list(bars.values())), fmt="%.2f")
    ax.tick_params(axis="x", rotation=30)
    ax.set(ylim=(0, 1.08), title="F1 by label (strict spans; claims)")

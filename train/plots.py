"""Drawings of an evaluation's figures and of a training run's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def plot(report: Mapping[str, Any], history: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write f1_by_label.png, of a run learning_curve.png (``history`` is the Trainer's log), of claims confusion.png, reliability.png
    (accuracy by score) and coverage.png (accuracy by how many claims are given) to ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    plots: dict[str, Callable[[Any], None]] = {"f1_by_label": lambda ax: _draw_f1(ax, report)}
    if history:
        plots["learning_curve"] = lambda ax: _draw_learning(ax, history)
    if (claims := report["claims"])["count"]:
        plots["confusion"] = lambda ax: _draw_confusion(ax, claims["confusion"])
        plots["reliability"] = lambda ax: _draw_reliability(ax, claims["reliability"])
        plots["coverage"] = lambda ax: _draw_coverage(ax, claims["selective"])
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


def _draw_reliability(ax: Any, bins: Sequence[Mapping[str, float]]) -> None:
    ax.plot([0, 1], [0, 1], linestyle=":", color="grey")
    ax.plot([b["score"] for b in bins], [b["accuracy"] for b in bins], marker="o")
    for b in bins:
        ax.annotate(str(b["count"]), (b["score"], b["accuracy"]), textcoords="offset points", xytext=(4, -10), fontsize=8)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="score of the claim", ylabel="accuracy", title="Reliability (sentences a point)")


def _draw_coverage(ax: Any, points: Sequence[Mapping[str, float]]) -> None:
    ax.plot([p["coverage"] for p in points], [p["accuracy"] for p in points], marker=".")
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="share of the claims that are given", ylabel="accuracy of those", title="Coverage")


def _draw_learning(ax: Any, history: Sequence[Mapping[str, Any]]) -> None:
    for key, name in (("loss", "training loss"), ("eval_span_f1", "held-out span F1"), ("eval_claim_macro_f1", "held-out claim macro-F1")):
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            ax.plot(*zip(*points, strict=True), label=name, marker="." if key != "loss" else None)
    ax.set(xlabel="step", title="Learning curve")
    ax.legend()


def _draw_f1(ax: Any, report: Mapping[str, Any]) -> None:
    bars = {label: s["f1"] for label, s in report["spans"].items()}
    if report["claims"]["count"]:
        bars |= {label: s["f1"] for label, s in report["claims"]["by_class"].items()}
    ax.bar_label(ax.bar(list(bars), list(bars.values())), fmt="%.2f")
    ax.tick_params(axis="x", rotation=30)
    ax.set(ylim=(0, 1.08), title="F1 by label (strict spans; claims)")

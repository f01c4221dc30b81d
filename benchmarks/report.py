"""The figures of ``benchmarks.predict`` for a person: a table of the medians, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def table(result: Mapping[str, Any]) -> str:
    """The medians, for a person."""
    lines = []
    for name, model in result["models"].items():
        lines += [f"{name}: {model['sentences']} sentences of {model['mean tokens']:.1f} tokens on average; 8-bit graph {model['graph']}"]
        for processors, rows in model["processors"].items():
            lines += ["", f"{'processors: ' + processors:30}" + "".join(f"{row:>14}" for row in rows)]
            for figure in dict.fromkeys(figure for figures in rows.values() for figure in figures):
                cells = (f"{of[figure]['median']:>14.4g}" if figure in of else f"{'':14}" for of in rows.values())
                lines.append(f"{figure:30}" + "".join(cells).rstrip())
        lines += ["", "seconds to start and answer: " + ", ".join(f"{row} {of['median']:.2f}" for row, of in model["start"].items()), ""]
    return "\n".join(lines)


def plot(result: Mapping[str, Any], path: Path) -> None:
    """Sentences a second, a bar a contender and number of processors, with the bounds of the rounds."""
    figure = Figure(figsize=(8, 1 + 3 * len(result["models"])), layout="constrained")
    for ax, (name, model) in zip(np.ravel(figure.subplots(len(result["models"]))), result["models"].items(), strict=True):
        for shift, (processors, rows) in enumerate(model["processors"].items()):
            rates = [of["sentences/s"] for of in rows.values()]
            bounds = [[rate["median"] - rate["low"] for rate in rates], [rate["high"] - rate["median"] for rate in rates]]
            places = np.arange(len(rows)) + 0.4 * shift
            bars = ax.barh(places, [rate["median"] for rate in rates], 0.38, xerr=bounds, label=f"processors: {processors}")
            ax.bar_label(bars, [f"× {of['times stock']['median']:.1f}" for of in rows.values()], padding=4)
            ax.set_yticks(places, list(rows))
        ax.set(title=name, xlabel="sentences a second, and times what the stock pipelines read", xmargin=0.1)
        ax.legend()
    figure.savefig(path, dpi=120)

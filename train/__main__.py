"""``python -m train --config FILE [key=value …]``: weak labels -> trained model, figures, plots and a published folder in ``runs/NAME``.

On several GPUs or machines, ``accelerate launch … -m train`` or ``torchrun … -m train`` with the same arguments (see
configs/accelerate): each process trains, the first one writes.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import logging
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from models import files, settings
from models.encoders import Encoder
from models.errors import ArgumentParser, command
from models.predictor import Predictor
from models.records import Example, Prediction
from models.render import table as prediction_table
from models.settings import Settings

from .bootstrap import claim_counts, interval, span_counts
from .dataset import Labelled, read_labelled
from .distil import distil
from .evaluate import evaluate, score, table
from .fit import Fit, encoder_of
from .plots import plot
from .processes import processes
from .publish import publish
from .room import check_room
from .stages import fit_stages

HELD_OUT = "held-out labels"  # what they are called among what is measured

log = logging.getLogger(__name__)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Train one configuration and print what came of it."""
    parser = ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change, such as train.epochs=3")
    options = parser.parse_args(argv)
    level = logging.INFO if processes().is_main_process else logging.ERROR
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    disable_progress_bar()  # of loading weights; training keeps its own
    run = settings.load(options.config, options.overrides)
    data = read_labelled(run)  # the gold too: a mistake there shows before hours of training
    predictor, metrics = carry_out(run, data)
    if not processes().is_main_process:
        return 0
    print("\n\n".join(table(figures, name) for name, figures in metrics.items()))
    print(f"\nA sample prediction, from {data.held_out[0].article}:\n")
    print(prediction_table(_sample(predictor, data.held_out)))
    print(f"\nThe model, figures and plots are in {run.folder}/")
    return 0


def carry_out(run: Settings, data: Labelled) -> tuple[Predictor, dict[str, Any]]:
    """Train and measure, and write the run's folder; gives the model and its reports, ``evaluate.score``'s, by what was measured."""
    encoder = encoder_of(run, data.training)
    count, choosing = len(data.training), len(data.held_out)
    log.info("%s: %d sentences to train on, %d to choose the checkpoint; %s", run.name, count, choosing, encoder.source)

    check_room(run, encoder.model.num_parameters())
    started = time.time()
    fitted = (distil if run.distil.layers else fit_stages)(run, encoder, data, run.folder / "checkpoints")
    minutes = None if _resumed(run, since=started) else round((time.time() - started) / 60, 1)
    predictor = Predictor.of(fitted.model, fitted.tokenizer, run.predict)
    metrics = {HELD_OUT: evaluate(predictor, data.held_out)}
    metrics |= {path: evaluate_gold(predictor, examples) for path, examples in data.gold.items()}
    log.info("trained, going on from an earlier call" if minutes is None else f"trained in {minutes} minutes")
    if processes().is_main_process:
        _write(run, encoder, fitted, data, metrics, minutes)
    return predictor, metrics


def evaluate_gold(predictor: Predictor, gold: Sequence[Example]) -> dict[str, Any]:
    """The figures of ``evaluate.score`` and the 95 % ``interval`` of two of them, [low, high]: ``spans``, strict micro-F1, and, where the
    gold has claims, ``claims``, macro-F1.
    """
    read = predictor.read([example.text for example in gold])
    figures = score(gold, read, predictor.schema.span_types)
    counts = {"spans": span_counts(gold, read, predictor.schema.span_types)}
    if figures["claims"]["count"]:
        counts["claims"] = claim_counts(gold, read)
    return figures | {"interval": {name: list(interval(of)) for name, of in counts.items()}}


def _sample(predictor: Predictor, held_out: Sequence[Example], sentences: int = 4) -> Prediction:
    """The start of a held-out article, read as one document."""
    first = [example for example in held_out if example.article == held_out[0].article][:sentences]
    return next(predictor.predict(["\n".join(example.text for example in first)]))


def _resumed(run: Settings, since: float) -> bool:
    """Whether a stage went on from checkpoints of an earlier call, whose time nobody has counted: its mark is older."""
    return any(mark.stat().st_mtime < since for mark in (run.folder / "checkpoints").rglob("fingerprint"))


def _write(run: Settings, encoder: Encoder, fitted: Fit, data: Labelled, metrics: dict[str, Any], minutes: float | None) -> None:
    examples = (*data.training, *data.held_out)
    report = {
        "name": run.name,
        "base_model": f"{encoder.source} (licence: {encoder.licence})",
        "origin": encoder.origin,
        "settings": dataclasses.asdict(run),
        "licence": run.licence,
        "data": _data(examples, data.written),
        "functions": _functions(run),
        "metrics": metrics,
        "best_step": fitted.best_step,
        "temperature": round(fitted.temperature, 4),
        "minutes": minutes,
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "datasets", "accelerate", "seqeval")},
        "python": platform.python_version(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "commit": _commit(),
    }
    first_gold = next((metrics[path] for path in data.gold), next(iter(metrics.values())))
    plot(first_gold, fitted.history, run.folder / "plots")
    publish(fitted.model, fitted.tokenizer, run.folder / "published", report=report)
    with files.write_whole(run.folder / "report.json") as out:
        out.write(files.to_json(report) + "\n")
    with files.write_whole(run.folder / "report.txt") as out:
        out.write("\n\n".join(table(figures, name) for name, figures in metrics.items()) + "\n")


def _data(examples: Sequence[Example], written: int) -> dict[str, Any]:
    return {
        "sentences": len(examples),
        "articles": len({example.article for example in examples}),
        "reviewed": sum(example.claim_by_hand for example in examples) - written,
        "written": written,
        "corpora": _corpora(examples),
    }


def _corpora(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Where the training text comes from, a row a source and licence."""
    count = Counter((example.source or "unknown", example.licence or "none stated") for example in examples)
    return [{"name": source, "licence": licence, "sentences": n} for (source, licence), n in sorted(count.items())]


def _functions(run: Settings) -> list[dict[str, Any]]:
    """The labelling functions' rows of the report that ``annotate`` wrote beside the weak labels; none where there is no report."""
    path = Path(run.annotate.output).with_name("annotation.json")
    rows = files.read_json(path, "run `python -m annotate` again")["functions"] if path.is_file() else []
    return [{name: row[name] for name in ("function", "votes", "coverage", "overlap", "conflict")} for row in rows]


def _commit() -> str:
    """The checkout's commit, or "unknown" outside one."""
    try:
        return subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())

"""Joint training against two separate runs, one for spans and one for claims: processor seconds in all, and figures on the run's gold.

    python -m benchmarks.joint --config FILE [--seeds N] [--output FILE] [key=value …]

After `python -m annotate` with the same configuration. The three runs have the same settings, sentences and steps; each in turn begins.
Claims are scored twice: as `predict` gives them, none under the threshold, and by the highest score alone: a head that has learnt little
yet chooses right and is never sure.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from models import files, settings
from models.errors import ArgumentParser, UserError, at_least, command
from models.predictor import Predictor
from models.records import Example
from models.scoring import claim_scores
from models.settings import Settings
from train.dataset import Labelled, read_labelled
from train.evaluate import score
from train.fit import encoder_of, fit

from .options import check_output

TASKS = ("joint", "spans", "claims")
FIGURES = {"span_f1": "spans", "claim_macro_f1": "claims", "best_claim_macro_f1": "claims"}  # and the run that measures each alone


def of_task(examples: Sequence[Example], task: str) -> list[Example]:
    """The examples with the other task's labels masked."""
    if task == "spans":
        return [replace(example, claim=None, claim_scores=None) for example in examples]
    return [replace(example, spans=None) if task == "claims" else example for example in examples]


def measure(run: Settings, data: Labelled, task: str) -> dict[str, float]:
    """Processor seconds of one fit, and its figures on the first gold."""
    encoder = encoder_of(run, data.training)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(run, encoder, of_task(data.training, task), of_task(data.held_out, task), Path(folder), data.schema)
    seconds = time.process_time() - began
    gold = next(iter(data.gold.values()))
    read = Predictor.of(fitted.model, fitted.tokenizer, run.predict).read([example.text for example in gold])
    report = score(gold, read)
    best = [max(sentence.claim.scores, key=sentence.claim.scores.__getitem__) if sentence.claim else None for sentence in read]
    return {
        "seconds": seconds,
        "span_f1": report["spans"]["micro"]["f1"],
        "claim_macro_f1": report["claims"]["macro_f1"],
        "best_claim_macro_f1": round(claim_scores([example.claim for example in gold], best).macro_f1, 4),
    }


def summary(runs: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """How many times longer two runs take than one, by the medians, and the seeds' mean figures and their spread."""
    seconds = {task: statistics.median(run["seconds"] for run in of) for task, of in runs.items()}
    record = {"ratio": (seconds["spans"] + seconds["claims"]) / seconds["joint"]}
    record |= {f"{task} seconds": value for task, value in seconds.items()}
    for figure, alone in FIGURES.items():
        for task in ("joint", alone):
            values = [run[figure] for run in runs[task]]
            record[f"{task} {figure}"], record[f"{task} {figure} spread"] = statistics.fmean(values), statistics.pstdev(values)
    return record


def told(record: dict[str, float]) -> str:
    """The summary for a person: a line for the time, one for each figure."""
    times = ", ".join(f"{task} {record[f'{task} seconds']:.0f} s" for task in TASKS)
    lines = [f"two runs take {record['ratio']:.2f} times as long as one for both ({times})"]
    for figure, alone in FIGURES.items():
        (a, spread), (b, other) = ((record[f"{task} {figure}"], record[f"{task} {figure} spread"]) for task in ("joint", alone))
        lines.append(f"{figure}: joint {a:.3f} ± {spread:.3f}, {alone} alone {b:.3f} ± {other:.3f}, difference {a - b:+.3f}")
    return "\n".join(lines)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure all seeds and write them."""
    parser = ArgumentParser(prog="python -m benchmarks.joint", description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seeds", type=at_least(1), default=3)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/joint.json"))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change")
    options = parser.parse_args(argv)
    check_output(options.output)
    run = settings.load(options.config, options.overrides)
    if run.data.train:
        raise UserError(f"{options.config}: 'data.train' has no claims to train jointly; name a configuration with articles")
    run = replace(run, train=replace(run.train, keep="last", evaluations=1))
    data = read_labelled(run)
    if not data.gold:
        raise UserError(f"{options.config}: no gold to measure on; name a file, such as gold=[seeds/gold.jsonl]")
    runs: dict[str, list[dict[str, float]]] = {task: [] for task in TASKS}
    for i in range(options.seeds):
        first = i % len(TASKS)
        for task in (*TASKS[first:], *TASKS[:first]):
            seeded = run.reseeded(i)
            runs[task].append(measure(seeded, data, task))
            done = sum(map(len, runs.values()))
            print(f"{done} of {len(TASKS) * options.seeds}: seed {seeded.seed}, {task}, {runs[task][-1]}", flush=True)
    figures = summary(runs)
    record: dict[str, Any] = {
        "config": str(options.config),
        "overrides": options.overrides,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version()},
        **figures,
        "runs": runs,
    }
    with files.write_whole(options.output) as out:
        out.write(json.dumps(record, indent=2) + "\n")
    print(f"{told(figures)}\nwrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

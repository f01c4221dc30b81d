"""Training: plain ``transformers.Trainer``, padding and default settings, against the recipe of configs/parsbert.yaml, side by side.

    python -m benchmarks.train [--rounds N] [--steps N] [--output FILE] [key=value …]

Both train the same network, of random weights and ParsBERT's size on a GPU, a small one on the CPU, on the same sentences of random tokens
with the lengths of the news corpora. Each run is a process of its own; they take turns. On the CPU times are processor seconds, so that
other work beside does not count.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from transformers import BertConfig, BertModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from models import files, settings
from models.errors import ArgumentParser, at_least, command
from models.labels import Schema
from models.modeling import GozarehModel, joint_model
from train.batches import Row, padded
from train.fit import training_arguments
from train.trainer import JointTrainer, reading_packed

from .options import check_output

# Tokens of the 21,653 training sentences of configs/compact-news.yaml, special ones included, at each twentieth of them.
LENGTHS = [3, 11, 14, 17, 20, 22, 25, 28, 30, 33, 36, 38, 42, 45, 49, 53, 58, 64, 73, 86, 256]
GPU = torch.cuda.is_available()
SIZE: dict[str, int] = (
    {"vocab_size": 100_000, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    if GPU
    else {"vocab_size": 20_000, "hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 1536}
)
SYSTEMS = ("plain", "recipe")
RECIPE = "configs/parsbert.yaml"
WARM_UP = 3  # steps that are not measured


def rows(count: int) -> list[Row]:
    """Sentences of random tokens and labels."""
    rng = np.random.default_rng(13)
    lengths = np.interp(rng.random(count), np.linspace(0, 1, len(LENGTHS)), LENGTHS).round().astype(int)
    return [
        Row(str(i), rng.integers(5, SIZE["vocab_size"], n), rng.integers(0, 9, n), np.ones(n), tuple(rng.dirichlet([1, 1, 1])), 1.0)
        for i, n in enumerate(lengths)
    ]


class Clock(TrainerCallback):
    """Seconds from the end of the warm-up to the end, and those of them in forward and backward passes."""

    def __init__(self) -> None:
        self.seconds = self.inside = 0.0
        self.marks: list[tuple[Any, Any]] = []
        self.began = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002
        """Begin after the warm-up, end after the last step."""
        if state.global_step == WARM_UP:
            self.began, self.marks = self.now(), []
        if state.global_step == state.max_steps:
            self.seconds = self.now() - self.began
            self.inside = sum(begin.elapsed_time(end) / 1000 if GPU else end - begin for begin, end in self.marks)

    def now(self) -> float:
        """Wall seconds on a GPU, once it has done all that it was given; processor seconds on the CPU."""
        if GPU:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def mark(self) -> Any:
        """A point in the device's work, which a GPU need not wait for."""
        if not GPU:
            return time.process_time()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def watch(self, trainer: Trainer, seen: list[Row], of_rows: dict[str, Row]) -> None:
        """Mark the beginning and the end of each training step."""
        step = trainer.training_step

        def watched(model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None) -> Tensor:
            begin = self.mark()
            loss = step(model, inputs, num_items_in_batch)
            self.marks.append((begin, self.mark()))
            if trainer.state.global_step >= WARM_UP:
                seen.extend(of_rows[name] for name in inputs.get("names", ()))
                seen.extend(inputs.get("rows", ()))
            return loss

        trainer.training_step = watched  # type: ignore[method-assign]


class PlainTrainer(Trainer):
    """The Trainer as it is; the names of a batch's sentences are for counting alone."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Without the names."""
        return super().compute_loss(model, {k: v for k, v in inputs.items() if k != "names"}, *args, **kwargs)


def plain(model: GozarehModel, data: list[Row], steps: int, folder: str, clock: Clock) -> PlainTrainer:
    """What a user would write."""
    return PlainTrainer(
        model=model,
        args=TrainingArguments(folder, max_steps=steps, save_strategy="no", report_to=[], remove_unused_columns=False, use_cpu=not GPU),
        data_collator=lambda batch: {**padded(batch, 0), "names": [row.id for row in batch]},
        train_dataset=data,
        callbacks=[clock],
    )


def recipe(model: GozarehModel, data: list[Row], steps: int, folder: str, clock: Clock, overrides: list[str]) -> JointTrainer:
    """configs/parsbert.yaml."""
    run = settings.load(RECIPE, overrides)
    run = replace(run, train=replace(run.train, max_steps=steps, keep="last"))
    arguments = training_arguments(run, len(data), Path(folder))
    arguments.eval_strategy = arguments.save_strategy = "no"
    return JointTrainer(model, data, run.train, dict, args=arguments, callbacks=[clock])


def measure(system: str, steps: int, overrides: list[str]) -> dict[str, float]:
    """One run."""
    set_seed(13)
    data, clock = rows(20_000), Clock()
    seen: list[Row] = []
    model = joint_model(BertModel(BertConfig.from_dict(SIZE)), Schema())
    with tempfile.TemporaryDirectory() as folder:
        total = WARM_UP + steps
        trainer = plain(model, data, total, folder, clock) if system == "plain" else recipe(model, data, total, folder, clock, overrides)
        clock.watch(trainer, seen, {row.id: row for row in data})
        if system == "plain":
            trainer.train()
        else:
            with reading_packed(model):
                trainer.train()
    tokens = sum(map(len, seen))
    attention = sum(12 * SIZE["num_hidden_layers"] * SIZE["hidden_size"] * len(row) ** 2 for row in seen)
    flops = 6 * model.num_parameters(exclude_embeddings=True) * tokens + attention
    peak = torch.cuda.max_memory_allocated() if GPU else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "sentences_per_second": len(seen) / clock.seconds,
        "tokens_per_second": tokens / clock.seconds,
        "tokens_per_step": tokens / steps,
        "peak_memory_gb": peak / 1e9,
        "flop_per_second": flops / clock.seconds,
        "outside_forward_and_backward": 1 - clock.inside / clock.seconds,
    }


def matrix_rate(tokens: int) -> float:
    """Operations a second of bfloat16 matrix products of the shapes of the network's feed-forward layers."""
    device, repeats = ("cuda", 50) if GPU else ("cpu", 10)
    left = torch.randn(tokens, SIZE["hidden_size"], device=device, dtype=torch.bfloat16)
    right = torch.randn(SIZE["hidden_size"], SIZE["intermediate_size"], device=device, dtype=torch.bfloat16)
    clock, rates = Clock(), []
    for turn in range(6):
        begin = clock.now()
        for _ in range(repeats):
            left @ right
        if turn:
            rates.append(repeats * 2 * left.numel() * right.shape[1] / (clock.now() - begin))
    return statistics.median(rates)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure both in turns and write the medians."""
    parser = ArgumentParser(prog="python -m benchmarks.train", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--steps", type=at_least(1), default=30 if GPU else 8)
    parser.add_argument("--output", type=Path, default=Path(f"benchmarks/results/train-{'gpu' if GPU else 'cpu'}.json"))
    parser.add_argument("--system", choices=SYSTEMS, help=argparse.SUPPRESS)  # one run, in a process of its own
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="the recipe's settings to change")
    options = parser.parse_args(argv)
    settings.load(RECIPE, options.overrides)  # a mistake in them is told before anything is measured
    if options.system:
        print(json.dumps(measure(options.system, options.steps, options.overrides)))
        return 0
    check_output(options.output)
    runs: dict[str, list[dict[str, float]]] = {system: [] for system in SYSTEMS}
    for _ in range(options.rounds):
        for system in SYSTEMS:
            steps = options.steps * (4 if system == "plain" else 1)  # of 8 sentences against 32
            command = [sys.executable, "-m", "benchmarks.train", "--system", system, "--steps", str(steps), *options.overrides]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            runs[system].append(json.loads(done.stdout.splitlines()[-1]))
    report(options, {system: {name: statistics.median(run[name] for run in of) for name in of[0]} for system, of in runs.items()}, runs)
    return 0


def report(options: argparse.Namespace, medians: dict[str, dict[str, float]], runs: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians and write them with the device, the versions and all runs."""
    rate = matrix_rate(max(64, round(medians["recipe"]["tokens_per_step"])))
    for figures in medians.values():
        figures["utilisation"] = figures["flop_per_second"] / rate
    record = {
        "device": torch.cuda.get_device_name() if GPU else f"{platform.machine()} CPU, {torch.get_num_threads()} threads",
        "seconds": "wall" if GPU else "processor",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version()},
        "network": SIZE,
        "overrides": options.overrides,
        "matrix_flop_per_second": rate,
        "ratio": medians["recipe"]["sentences_per_second"] / medians["plain"]["sentences_per_second"],
        "median": medians,
        "runs": runs,
    }
    with files.write_whole(options.output) as out:
        out.write(json.dumps(record, indent=2) + "\n")
    for system, figures in medians.items():
        print(f"{system:8}" + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    print(f"recipe / plain: {record['ratio']:.2f} times the sentences a second; wrote {options.output}")


if __name__ == "__main__":
    sys.exit(main())

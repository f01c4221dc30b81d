"""What prediction on a CPU costs: two stock pipelines and our engines on the same archive, in turns, on one processor and on all.

    python -m benchmarks.predict models/published/compact [--models NAME=FOLDER] [--random-bert] [--gold FILE]

Each contender is a process of its own (``benchmarks.contenders``). In every round each reads the archive, then some sentences one by one,
and each library multiplies matrices of the model's own shapes. The archive is made of the seed articles: distinct sentences, as long as
theirs, of their clauses. As stock pipelines are slow they read an eighth of it, of the same lengths. Linux only. Writes
benchmarks/results/predict.json and .png.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import BertConfig
from transformers.utils.logging import disable_progress_bar

from models import files
from models.errors import ArgumentParser, UserError, at_least, command
from models.records import Example, read_examples
from models.scoring import MICRO
from train.evaluate import score

from .machine import ROOT, machine
from .options import check_output
from .report import plot, table
from .subjects import STOCK_SHARE, Model, archive, prepare, random_model

STOCK = """
import sys
from transformers import pipeline
folder, text = sys.argv[1:]
print(pipeline("token-classification", folder, aggregation_strategy="simple", device="cpu")(text))
print(pipeline("text-classification", folder + "/claim", device="cpu")(text))
"""
RANDOM = "random-bert"
PRODUCTS = {"stock": "torch", "stock by 32": "torch", "torch": "torch", "onnx fp32": "fp32", "onnx int8": "int8"}  # of whose library
THREADS = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"}

Figures = dict[str, dict[str, dict[str, float]]]  # contender, figure, spread
Gold = Mapping[str, Sequence[Example]]  # by the file's name


class Process:
    """A contender in a process of its own (see ``contenders``); it gets ready while others do, until it is asked something."""

    def __init__(self, name: str, *what: Any) -> None:
        self.name = name
        line = [sys.executable, "-m", "benchmarks.contenders"]
        self.process = subprocess.Popen(line, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send(what)

    def ask(self, *question: Any) -> Any:
        """What the contender's method of that name gives on the arguments. Raises RuntimeError if the process is no more."""
        try:
            self._send(question)
            return pickle.load(self.process.stdout)  # type: ignore[arg-type] # it is a pipe
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"{self.name}: its process has ended; see above") from None

    def _send(self, what: tuple[Any, ...]) -> None:
        pickle.dump(what, self.process.stdin)  # type: ignore[arg-type]
        self.process.stdin.flush()  # type: ignore[union-attr]

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()


def start(model: Model, processors: set[int]) -> dict[str, Process]:
    """A process of each contender, and of what they are held against, by name."""
    folder, eight, wide = str(model.folder), str(model.eight), str(model.wide)
    of: dict[str, tuple[Any, ...]] = {"stock": ("Stock", folder), "stock by 32": ("Stock", folder, 32)}
    of["torch"] = "Ours", folder, "torch"
    of |= {"onnx fp32": ("Ours", wide, "onnx"), "onnx int8": ("Ours", eight, "onnx"), "replayed": ("Replayed", eight)}
    shape = model.config["hidden_size"], model.config["intermediate_size"]
    of |= {f"{library} products": ("Products", library, *shape) for library in PRODUCTS.values()}
    return {name: Process(f"{model.name}, {name}", processors, *what) for name, what in of.items()}


def environment() -> dict[str, str]:
    """A contender's: no network, no progress, and as many threads as each library takes by itself."""
    kept = {key: value for key, value in os.environ.items() if key not in THREADS}
    return kept | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}


def measure(models: Sequence[Model], processors: set[int], rounds: int, gold: Gold) -> dict[str, Figures]:
    """By model, the spread of all figures over the rounds, in which the contenders of all models take turns."""
    with contextlib.ExitStack() as stack:
        running = [start(model, processors) for model in models]
        for process in (process for own in running for process in own.values()):
            stack.callback(process.close)
        for model, own in zip(models, running, strict=True):
            own["replayed"].ask("read", model.texts)
            for name in PRODUCTS:
                own[name].ask("read", model.texts[:STOCK_SHARE])
        turns = [turn(models, running, f"processors: {len(processors)}, round {number} of {rounds}") for number in range(1, rounds + 1)]
        found: dict[str, Figures] = {}
        for model, own in zip(models, running, strict=True):
            found[model.name] = rows = {}
            for name in PRODUCTS:
                figures = [figures[model.name, name] for figures in turns]
                rows[name] = {figure: spread([of[figure] for of in figures]) for figure in figures[0]}
                rows[name]["peak MB"] = spread([own[name].ask("peak_mb")])
                if not name.startswith("stock") and model.name != RANDOM:
                    rows[name] |= {figure: spread([value]) for figure, value in f1(own[name], gold).items()}
    return found


def turn(models: Sequence[Model], running: Sequence[Mapping[str, Process]], label: str) -> dict[tuple[str, str], dict[str, float]]:
    """One round's figures by model and contender, told on standard error, each after the round's name, as they come."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for model, own in zip(models, running, strict=True):
        peaks = {library: own[f"{library} products"].ask("gflops") for library in dict.fromkeys(PRODUCTS.values())}
        for name, library in PRODUCTS.items():
            read = model.read_by(name)
            wall, spent = own[name].ask("timed", [model.texts[i] for i in read])
            seconds = own[name].ask("latencies", model.texts[: max(2, len(model.texts) // 20)])
            work = (1 + name.startswith("stock")) * sum(model.gflop(model.lengths[i]) for i in read)  # stock reads each twice
            found[model.name, name] = figures = {"sentences/s": len(read) / wall, "tokens/s": sum(model.lengths[i] for i in read) / wall}
            figures |= {f"p{p} ms": 1000 * float(np.percentile(seconds, p)) for p in (50, 99)}
            figures |= {"GFLOP/s": work / wall, "of products at": peaks[library], "share": work / wall / peaks[library]}
            stock = found[model.name, "stock"]["sentences/s"]
            figures |= {"times stock": len(read) / wall / stock}
            if model.texts is models[0].texts:
                figures["times first stock"] = len(read) / wall / found[models[0].name, "stock"]["sentences/s"]
            if name == "onnx int8":
                outside = own["replayed"].ask("timed", model.texts)
                figures |= {"outside the engine, wall": outside[0] / wall, "outside the engine, processor": outside[1] / spent}
            print(f"{label}: {model.name}, {name}: {figures['sentences/s']:.1f} sentences/s", file=sys.stderr, flush=True)
    return found


def f1(process: Process, gold: Gold) -> dict[str, float]:
    """Micro-F1 of exact spans and macro-F1 of claims on each file of gold."""
    found: dict[str, float] = {}
    for name, examples in gold.items():
        report = score(examples, process.ask("sentences", [example.text for example in examples]))
        found |= {f"{name} span F1": report["spans"][MICRO]["f1"], f"{name} claim F1": report["claims"]["macro_f1"]}
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median of some rounds, the least and the greatest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def starts(model: Model, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds from the start of a process to its answer about one sentence, after a first that fills the disk's cache if there are more."""
    ours = [sys.executable, "-m", "models.predict", model.texts[0], "--device", "cpu", "--model"]
    commands = {"stock": [sys.executable, "-c", STOCK, str(model.folder), model.texts[0]]}
    commands |= {"torch": [*ours, str(model.folder), "--engine", "torch"], "onnx int8": [*ours, str(model.eight), "--engine", "onnx"]}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + (rounds > 1)):
        for name, line in commands.items():
            began = time.perf_counter()
            subprocess.run(line, cwd=ROOT, env=environment(), check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return {name: spread(values[-rounds:]) for name, values in seconds.items()}


def prepare_all(options: Namespace, work: Path) -> list[Model]:
    """The models of the command line. Raises UserError for one that is none of ours."""
    named = {options.folder.resolve().name: options.folder}
    for option in options.models:
        name, equals, folder = option.partition("=")
        if not (name and equals and folder) or name in (*named, RANDOM):
            raise UserError(f"--models: '{option}' is not NAME=FOLDER with a name of its own")
        named[name] = Path(folder)
    texts = archive(options.sentences)
    models = [prepare(name, folder, texts, work) for name, folder in named.items()]
    if options.random_bert:
        bert = random_model(options.folder, work / "model", BertConfig(vocab_size=100_000))
        models.append(prepare(RANDOM, bert, texts[: len(texts) // 4], work))
    return models


def run(models: Sequence[Model], gold: Gold, options: Namespace) -> dict[str, Any]:
    """All figures of all models, as plain JSON types."""
    every = os.sched_getaffinity(0)
    found: dict[str, Any] = {"machine": machine(), "command": sys.argv[1:], "rounds": options.rounds, "stock reads one in": STOCK_SHARE}
    found["models"] = {
        model.name: {field: model.config[field] for field in ("num_hidden_layers", "hidden_size", "vocab_size")}
        | {"graph": "of its folder" if model.eight == model.folder else "exported for this run, its ranges from the seed articles"}
        | {"sentences": len(model.texts), "mean tokens": statistics.fmean(model.lengths)}
        | {"mean tokens of stock": statistics.fmean(model.lengths[i] for i in model.read_by("stock"))}
        | {"start": starts(model, min(3, options.rounds)), "processors": {}}
        for model in models
    }
    for processors in [every] if options.quick or len(every) == 1 else [{max(every)}, every]:
        for name, rows in measure(models, processors, options.rounds, gold).items():
            found["models"][name]["processors"][str(len(processors))] = rows
    return found


def read_gold(paths: Sequence[Path]) -> Gold:
    """The files' sentences. Raises UserError for two files of one name, by which their figures are told apart."""
    gold: dict[str, Sequence[Example]] = {}
    for path in paths:
        if path.stem in gold:
            raise UserError(f"--gold: {path} has the name of another file of gold; give it its own")
        gold[path.stem] = read_examples(path)
    return gold


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the figures and the plot."""
    parser = ArgumentParser(prog="python -m benchmarks.predict", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a published model")
    parser.add_argument("--models", nargs="+", action="extend", default=[], metavar="NAME=FOLDER", help="more, such as a student")
    parser.add_argument("--random-bert", action="store_true", help="also random weights of ParsBERT's size, on a quarter of the archive")
    parser.add_argument("--gold", nargs="+", action="extend", default=[], type=Path, metavar="FILE", help="more than seeds/gold.jsonl")
    parser.add_argument(
        "--sentences", type=at_least(STOCK_SHARE), default=2000, help="of the archive; a twentieth of them one by one (default %(default)s)"
    )
    parser.add_argument("--rounds", type=at_least(1), default=5, help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="a round over 64 sentences, on all processors: to see that it works")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/predict.json", help="a .png is put beside it")
    options = parser.parse_args(argv)
    if options.quick:
        options.sentences, options.rounds = 64, 1
    check_output(options.output)
    gold = read_gold((ROOT / "seeds/gold.jsonl", *options.gold))  # a mistake in one is told at once
    disable_progress_bar()
    with tempfile.TemporaryDirectory() as work:
        result = run(prepare_all(options, Path(work)), gold, options)
    with files.write_whole(options.output) as out:
        out.write(files.to_json(result) + "\n")
    plot(result, options.output.with_suffix(".png"))
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

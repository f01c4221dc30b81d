"""What prediction on a CPU costs: two stock pipelines and our engines on the same archive, in turns, on one processor and on all.

    python -m benchmarks.predict models/published/compact [--models small=models/published/small] [--random-bert] [--gold FILE]

Each contender is a process of its own (``benchmarks.contenders``). In every round each reads the archive, then some sentences one by one,
and each library multiplies matrices of the model's own shapes. The archive is made of the seed articles: distinct sentences, as long as
theirs, of their clauses. As stock pipelines are slow they read an eighth of it, of the same lengths. Linux only. Writes
benchmarks/results/predict.json and .png.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from matplotlib.figure import Figure
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertConfig, BertModel
from transformers.utils.logging import disable_progress_bar

from models import files
from models.encoding import encode
from models.errors import ArgumentParser, UserError, command
from models.folder import check_folder
from models.labels import Schema
from models.modeling import joint_model
from models.onnx_engine import GRAPH
from models.records import read_examples
from models.scoring import MICRO
from models.text import sentences
from models.torch_engine import load_network
from train.evaluate import score
from train.export import export_onnx, float_graph
from train.publish import write

from .archive import ROOT, processor

STOCK_SHARE = 8  # one sentence in so many is read by the stock pipelines
STOCK = """
import sys
from transformers import pipeline
folder, text = sys.argv[1:]
print(pipeline("token-classification", folder, aggregation_strategy="simple", device="cpu")(text))
print(pipeline("text-classification", folder + "/claim", device="cpu")(text))
"""
RANDOM = "random-bert"
PRODUCTS = {"stock": "torch", "stock by 32": "torch", "torch": "torch", "onnx fp32": "fp32", "onnx int8": "int8"}  # of whose library
FLAGS = {"avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_bf16", "amx_int8"}
PACKAGES = ("torch", "transformers", "tokenizers", "onnxruntime", "numpy")
THREADS = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"}

Figures = dict[str, dict[str, dict[str, float]]]  # contender, figure, spread


@dataclass(frozen=True)
class Model:
    """A model to measure: its folder, the same with a graph in 8 bits and in 32, and the sentences it reads."""

    name: str
    folder: Path
    eight: Path
    wide: Path
    texts: list[str]

    @cached_property
    def config(self) -> dict[str, Any]:
        return files.read_json(self.folder / "config.json", "name a published model")

    @cached_property
    def lengths(self) -> list[int]:
        """Of the sentences, in tokens, special ones included."""
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        return [len(encoding) for encoding in tokenizer.encode_batch(self.texts)]

    def read_by(self, contender: str) -> list[int]:
        """The numbers of the sentences that a contender reads; those of the stock pipelines are as long, on the whole, as all of them."""
        numbers = range(len(self.texts))
        if contender.startswith("stock"):
            return sorted(sorted(numbers, key=self.lengths.__getitem__)[STOCK_SHARE // 2 :: STOCK_SHARE])
        return list(numbers)

    def gflop(self, tokens: int) -> float:
        """Of a sentence's pass through the encoder: two a weight of its layers' matrices and token, and attention's two products."""
        width, inner = self.config["hidden_size"], self.config["intermediate_size"]
        each = 2 * tokens * (4 * width**2 + 2 * width * inner) + 4 * tokens**2 * width
        return float(self.config["num_hidden_layers"] * each / 1e9)

    def start(self, processors: set[int]) -> dict[str, Process]:
        """A process of each contender, and of what they are held against, by name."""
        folder, eight, wide = str(self.folder), str(self.eight), str(self.wide)
        of: dict[str, tuple[Any, ...]] = {"stock": ("Stock", folder), "stock by 32": ("Stock", folder, 32)}
        of["torch"] = "Ours", folder, "torch"
        of |= {"onnx fp32": ("Ours", wide, "onnx"), "onnx int8": ("Ours", eight, "onnx"), "replayed": ("Replayed", eight)}
        shape = self.config["hidden_size"], self.config["intermediate_size"]
        of |= {f"{library} products": ("Products", library, *shape) for library in PRODUCTS.values()}
        return {name: Process(f"{self.name}, {name}", processors, *what) for name, what in of.items()}


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


def environment() -> dict[str, str]:
    """A contender's: no network, no progress, and as many threads as each library takes by itself."""
    kept = {key: value for key, value in os.environ.items() if key not in THREADS}
    return kept | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}


def archive(number: int, seed: int = 13) -> list[str]:
    """Distinct sentences of the lengths, in words, that the seed articles' have, made of their clauses with numbers changed."""
    seeds = seed_sentences()
    lengths = [len(sentence.split()) for sentence in seeds]
    clauses = [clause.split() for sentence in seeds for clause in re.split("[،؛:.]", sentence) if clause.split()]
    dice = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < number:
        length, words = dice.choice(lengths), list[str]()
        while len(words) < length:
            words += dice.choice(clauses)
        text = re.sub("[0-9۰-۹]+", lambda _: str(dice.randint(2, 9999)), " ".join(words[:length])) + "."
        if len(sentences(text, ((0, len(text)),))) == 1:
            found[text] = None
    return list(found)


def seed_sentences() -> list[str]:
    """Those of the seed articles, as they are."""
    articles = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "seeds/articles").glob("*.txt"))]
    return [text[start:end] for text in articles for start, end in sentences(text, ((0, len(text)),))]


def prepare(name: str, folder: Path, texts: list[str], work: Path) -> Model:
    """A model with the graphs that its folder lacks, made in copies of it. Raises UserError for what is no model of ours."""
    checked = check_folder(folder)
    network = load_network(checked).eval()  # type: ignore[no-untyped-call]
    eight = folder
    if not (folder / GRAPH).is_file():
        eight = shutil.copytree(folder, work / name / "int8", symlinks=True)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        encodings = encode(tokenizer, seed_sentences(), checked.reading.window, checked.reading.overlap)
        export_onnx(network, [window.input_ids for encoding in encodings for window in encoding.windows], eight)
    wide = shutil.copytree(folder, work / name / "fp32", symlinks=True)
    (wide / GRAPH).parent.mkdir(exist_ok=True)
    onnx.save(float_graph(network), wide / GRAPH)  # under the name of the other, so that it is read as it would be
    return Model(name, folder, eight, wide, texts)


def random_bert(like: Path, folder: Path) -> Path:
    """A model of ParsBERT's size with random weights, but for a bias to no span, as news has it; tokenizer and reading of another's."""
    folder.mkdir(parents=True)
    model = joint_model(BertModel(BertConfig(vocab_size=100_000)), Schema())
    model.classifier.bias.data[0] = 5
    write(model, AutoTokenizer.from_pretrained(like), folder, files.read_json(like / "config.json", "name a published model")["gozareh"])
    return folder


def measure(models: Sequence[Model], processors: set[int], rounds: int, gold: Sequence[Path]) -> dict[str, Figures]:
    """By model, the spread of all figures over the rounds, in which the contenders of all models take turns."""
    with contextlib.ExitStack() as stack:
        running = [model.start(processors) for model in models]
        for process in (process for own in running for process in own.values()):
            stack.callback(process.close)
        for model, own in zip(models, running, strict=True):
            own["replayed"].ask("read", model.texts)
            for name in PRODUCTS:
                own[name].ask("read", model.texts[:STOCK_SHARE])
        turns = [turn(models, running) for _ in range(rounds)]
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


def turn(models: Sequence[Model], running: Sequence[Mapping[str, Process]]) -> dict[tuple[str, str], dict[str, float]]:
    """One round's figures by model and contender."""
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
    return found


def f1(process: Process, gold: Sequence[Path]) -> dict[str, float]:
    """Micro-F1 of exact spans and macro-F1 of claims on each file of gold."""
    found: dict[str, float] = {}
    for path in gold:
        examples = read_examples(path)
        report = score(examples, process.ask("sentences", [example.text for example in examples]))
        found |= {f"{path.stem} span F1": report["spans"][MICRO]["f1"], f"{path.stem} claim F1": report["claims"]["macro_f1"]}
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


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    flags = sorted(FLAGS.intersection(Path("/proc/cpuinfo").read_text(encoding="utf-8").split()))
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    versions = {"python": platform.python_version()} | {package: version(package) for package in PACKAGES}
    found = {"device": processor(), "processors": len(os.sched_getaffinity(0)), "flags": flags, "load before": os.getloadavg()[0]}
    return found | {"versions": versions, "commit": git.stdout.strip()}


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
        folder = random_bert(options.folder, work / "model")
        models.append(prepare(RANDOM, folder, texts[: len(texts) // 4], work))
    return models


def run(models: Sequence[Model], options: Namespace) -> dict[str, Any]:
    """All figures of all models, as plain JSON types."""
    every = os.sched_getaffinity(0)
    found: dict[str, Any] = {"machine": machine(), "command": sys.argv, "rounds": options.rounds, "stock reads one in": STOCK_SHARE}
    found["models"] = {
        model.name: {field: model.config[field] for field in ("num_hidden_layers", "hidden_size", "vocab_size")}
        | {"graph": "of its folder" if model.eight == model.folder else "exported for this run, its ranges from the seed articles"}
        | {"sentences": len(model.texts), "mean tokens": statistics.fmean(model.lengths)}
        | {"mean tokens of stock": statistics.fmean(model.lengths[i] for i in model.read_by("stock"))}
        | {"start": starts(model, min(3, options.rounds)), "processors": {}}
        for model in models
    }
    for processors in [every] if options.quick or len(every) == 1 else [{max(every)}, every]:
        for name, rows in measure(models, processors, options.rounds, [ROOT / "seeds/gold.jsonl", *options.gold]).items():
            found["models"][name]["processors"][str(len(processors))] = rows
    return found


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the figures and the plot."""
    parser = ArgumentParser(prog="python -m benchmarks.predict", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a published model")
    parser.add_argument("--models", nargs="+", action="extend", default=[], metavar="NAME=FOLDER", help="more, such as a student")
    parser.add_argument("--random-bert", action="store_true", help="also random weights of ParsBERT's size, on a quarter of the archive")
    parser.add_argument("--gold", nargs="+", action="extend", default=[], type=Path, metavar="FILE", help="more than seeds/gold.jsonl")
    parser.add_argument("--sentences", type=int, default=2000, help="of the archive; a twentieth of them one by one (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="a round over 64 sentences, on all processors: to see that it works")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/predict.json", help="a .png is put beside it")
    options = parser.parse_args(argv)
    if options.quick:
        options.sentences, options.rounds = 64, 1
    disable_progress_bar()
    with tempfile.TemporaryDirectory() as work:
        result = run(prepare_all(options, Path(work)), options)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with files.write_whole(options.output) as out:
        out.write(files.to_json(result) + "\n")
    plot(result, options.output.with_suffix(".png"))
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The table of doors: every way to call a published folder, on each device, in each dtype, under each version of transformers.

`python tests/doors/doors.py [FOLDER] [--versions 5.23 5.10 …] [--json FILE]`, or `make doors`. Each door is opened in a process of its own,
outside the checkout, and what it gives is compared with ``predict``. Without a folder, one is published from the network of ``tiny``.
Without versions, the installed transformers is tried; with them, each in an environment of its own under .doors/, made once, which shares
all that it can, torch above all, with the running one. Exit code 1 if any cell fails, each with its reason under the table.

Spans must be the same in each text of whose every word ``predict`` is surer than the dtype's noise; through the stock pipeline, where
besides the best tags of a word's tokens agree (see the card). Of all spans, F1 must be 0.9. A text of several windows, which that pipeline
joins in another way than ``predict``, must be read to its end. What reads the 8-bit graph is compared with ``predict`` by the same graph.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tiny import REPORT, TEXTS, tiny

import gozareh
from models.encoding import decode_all, encode, tag
from models.labels import IGNORED
from models.onnx_engine import GRAPH
from models.predictor import Predictor
from train.export import export_onnx
from train.publish import PROBES, publish

ROOT = Path(__file__).parents[2]
CELLS = Path(__file__).with_name("cells.py")
REPO = "somebody/gozareh-doors"
NOISE = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1, "int8": 2e-2}  # how far a probability may move
LEAST_F1 = 0.9
PASS, FAIL, NO_GPU = "pass", "FAIL", "no GPU"
DTYPES = ("float32", "float16", "bfloat16")
DOORS = {
    "spans": ('pipeline("token-classification", DIR)', DTYPES),
    "claims": ('pipeline("text-classification", DIR/claim)', DTYPES),
    "subfolder": ("the same, NAME with subfolder=claim", DTYPES),
    "registered": ('pipeline("gozareh"), import gozareh', DTYPES),
    "trusted": ('pipeline("gozareh", DIR), trusted', DTYPES),
    "trusted_repo": ('pipeline("gozareh", NAME), trusted', DTYPES),
    "auto": ("AutoModel, AutoTokenizer", DTYPES),
    "predictor": ("gozareh.load, predict", ("float32", "int8")),
    "onnx": ("onnxruntime alone", ("int8",)),
}


@dataclass(frozen=True)
class Cell:
    """One cell of the table; ``reason`` says why it fails."""

    door: str
    device: str
    dtype: str
    version: str
    state: str
    reason: str = ""


class Reference:
    """What ``predict`` reads in the texts by an engine, and how surely."""

    def __init__(self, folder: Path, texts: Sequence[str], engine: str = "torch") -> None:
        self.predictor = gozareh.load(folder, device="cpu", engine=engine)
        self.texts = texts
        self.documents = [prediction.to_dict() for prediction in self.predictor.predict(texts)]
        self.rows = self.predictor.read(texts)  # each as one sentence, as the stock pipelines take it
        reading = self.predictor.reading
        encodings = encode(self.predictor.tokenizer, texts, reading.window, reading.overlap)
        self.fits = [i for i, encoding in enumerate(encodings) if len(encoding.windows) == 1]
        self.margins = [min([_margin(self.predictor, s["text"]) for s in d["sentences"]], default=1.0) for d in self.documents]
        self.row_margins = [_margin(self.predictor, text) for text in texts]
        self.token_margins = [_token_margin(self.predictor, text) for text in texts]

    def reason(self, door: str, dtype: str, answers: Mapping[str, Any]) -> str:
        """Why answers, by the way they were asked for, are not those of ``predict``; empty if they are."""
        if "error" in answers:
            return str(answers["error"])
        compare = {"spans": self._spans, "claims": self._claims, "subfolder": self._claims, "auto": self._auto, "onnx": self._onnx}.get(
            door, self._documents
        )
        return next((f"{way}: {reason}" for way, given in answers.items() if (reason := compare(given, NOISE[dtype]))), "")

    def _documents(self, given: Sequence[Any], noise: float) -> str:
        if [d["text"] for d in given] != list(self.texts):
            return "other documents, or in another order"
        ours, theirs = self.documents, given
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if [(s["start"], s["end"], s["text"]) for s in a["sentences"]] != [(s["start"], s["end"], s["text"]) for s in b["sentences"]]:
                return f"text {i}: other sentences"
            for s, t in zip(a["sentences"], b["sentences"], strict=True):
                if reason := _far(list(s["claim"]["scores"].values()), list(t["claim"]["scores"].values()), noise):
                    return f"text {i}: claim scores {reason}"
        sure = [margin > 2 * noise for margin in self.margins]
        meaning = ("label", "start", "end", "text", "value", "unit")
        found = [[[tuple(x.get(k) for k in meaning) for s in d["sentences"] for x in s["spans"]] for d in each] for each in (ours, theirs)]
        return _unlike(*found, sure)

    def _spans(self, given: Sequence[Any], noise: float) -> str:
        ours = [[(s.label, s.start, s.end) for s in row.spans] for row in self.rows]
        theirs = [[(label, start, end) for label, start, end, _ in row] for row in given]
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if i not in self.fits and a and (not b or b[-1][2] <= a[-1][1]):
                return f"text {i}: not read to its end"
        some = [[spans[i] for i in self.fits] for spans in (ours, theirs)]
        return _unlike(*some, [self.token_margins[i] > 2 * noise for i in self.fits])

    def _claims(self, given: Sequence[Any], noise: float) -> str:
        rows = [self.rows[i] for i in self.fits]
        if len(given) != len(rows):
            return f"{len(given)} answers for {len(rows)} texts"
        for i, (row, scores) in enumerate(zip(rows, given, strict=True)):
            assert row.claim is not None
            if reason := _far(list(row.claim.scores.values()), [scores.get(claim, 0.0) for claim in row.claim.scores], noise):
                return f"text {i}: claim scores {reason}"
        return ""

    def _auto(self, given: Sequence[Any], noise: float) -> str:
        for i, (text, row) in enumerate(zip(self.texts, given, strict=True)):
            window = encode(self.predictor.tokenizer, [text], self.predictor.reading.window, 0)[0].windows[0]
            for name, ours in zip(("tags", "claim"), _probabilities(self.predictor, window.input_ids), strict=True):
                if reason := _far(ours, row[name], noise):
                    return f"text {i}: {name} {reason}"
        return ""

    def _onnx(self, given: Sequence[Any], noise: float) -> str:
        for i, (row, answer) in enumerate(zip(self.rows, given, strict=True)):
            assert row.claim is not None
            if reason := _far(list(row.claim.scores.values()), answer["claim"], noise):
                return f"text {i}: claim {reason}"
        ours = [[(s.label, s.start, s.end) for s in row.spans] for row in self.rows]
        theirs = [[(label, start, end) for label, start, end in answer["spans"]] for answer in given]
        return _unlike(ours, theirs, [margin > 2 * noise for margin in self.row_margins])


def _probabilities(predictor: Predictor, ids: Any) -> list[Any]:
    """Of one window: (tokens, tags) and (claims,)."""
    outputs = predictor.engine(ids[None], np.ones_like(ids)[None])
    return [torch.from_numpy(logits[0]).softmax(-1).numpy() for logits in outputs if logits is not None]


def _margin(predictor: Predictor, text: str) -> float:
    """By how much the best tag of the least sure word leads."""
    ((_, words),) = predictor.word_probabilities([text])
    return _lead(words)


def _token_margin(predictor: Predictor, text: str) -> float:
    """The same of tokens; 0 where a token's best tag is not its word's, or the text has several windows."""
    (encoding,) = encode(predictor.tokenizer, [text], predictor.reading.window, predictor.reading.overlap)
    if len(encoding.windows) > 1:
        return 0.0
    tags, _ = _probabilities(predictor, encoding.windows[0].input_ids)
    (targets,) = tag(encoding, decode_all([encoding], [np.log(tags)], predictor.schema)[0], predictor.schema)
    real = targets.labels != IGNORED
    return _lead(tags[real]) if (tags.argmax(-1) == targets.labels)[real].all() else 0.0


def _lead(probabilities: Any) -> float:
    ordered = np.sort(probabilities, axis=-1)
    return float((ordered[:, -1] - ordered[:, -2]).min()) if len(ordered) else 1.0


def _far(ours: Any, theirs: Any, noise: float) -> str:
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if a.shape != b.shape:
        return f"of shape {b.shape}, not {a.shape}"
    moved = float(np.abs(a - b).max(initial=0.0))
    return "" if moved <= noise else f"move by {moved:.3f}, over {noise}"


def _unlike(ours: Sequence[Sequence[Any]], theirs: Sequence[Sequence[Any]], sure: Sequence[bool]) -> str:
    if len(ours) != len(theirs):
        return f"{len(theirs)} answers for {len(ours)} texts"
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if sure[i] and list(a) != list(b):
            return f"text {i}: spans {sorted(set(b) ^ set(a))[:3]} are in one alone"
    same = sum(len(set(a) & set(b)) for a, b in zip(ours, theirs, strict=True))
    total = sum(map(len, (*ours, *theirs)))
    return "" if not total or 2 * same / total >= LEAST_F1 else f"span F1 {2 * same / total:.2f}, under {LEAST_F1}"


def card_lines(folder: Path) -> str:
    """What a folder's card says to run with onnxruntime alone; nothing, where it says nothing."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return next((block for block in blocks if "InferenceSession(" in block), "")


def as_in_the_hub_cache(folder: Path, cache: Path) -> None:
    """Lay a folder out as the hub's client does after a download: files by checksum, and a snapshot of links to them."""
    repo = cache / f"models--{REPO.replace('/', '--')}"
    snapshot = repo / "snapshots" / ("0" * 40)
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(snapshot.name)
    (repo / "blobs").mkdir()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        blob = repo / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        if not blob.exists():
            shutil.copyfile(path, blob)
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


def environment(version: str) -> Path:
    """The Python of an environment with the newest transformers of this version, and our other requirements; made if it is not there.

    What the running environment has counts as installed, unless that transformers asks for something else.
    """
    home = ROOT / ".doors" / version
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, symlinks=True)
        own = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
        (own / "shared.pth").write_text(sysconfig.get_path("purelib"))
        with (ROOT / "pyproject.toml").open("rb") as file:
            ours = tomllib.load(file)["project"]["dependencies"]
        wanted = [f"transformers=={version}.*", *(name for name in ours if not name.startswith("transformers"))]
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
        done.touch()
    return python


def open_door(python: Path, door: str, job: Mapping[str, Any], scratch: Path) -> list[Any]:
    """Answers of a door, one a cell of the job; an error for each where the process dies."""
    scratch.mkdir(exist_ok=True)
    bare = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH") if name in os.environ}
    bare |= {"HOME": str(scratch), "HF_HOME": str(scratch / "hf"), "HF_HUB_CACHE": job["cache"], "HF_HUB_OFFLINE": "1"}
    command = [str(python), "-I", "-X", "utf8", str(CELLS)]
    given = json.dumps(dict(job) | {"door": door})
    done = subprocess.run(command, input=given, cwd=scratch, env=bare, capture_output=True, text=True, encoding="utf-8", check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return [{"error": f"the process ended with {done.returncode}: {last}"}] * len(job["cells"])
    answers: list[Any] = json.loads(lines[-1])
    return answers


def table(folder: Path, versions: Sequence[str], scratch: Path, doors: Sequence[str] = tuple(DOORS)) -> list[Cell]:
    """Every cell, in the order of doors, devices, dtypes and versions."""
    reference = Reference(folder, TEXTS)
    eight_bits = Reference(folder, TEXTS, "onnx") if (folder / GRAPH).is_file() else reference
    as_in_the_hub_cache(folder, scratch / "hub")
    reading = {"window": reference.predictor.reading.window, "overlap": reference.predictor.reading.overlap}
    job = {
        "folder": str(folder.resolve()),
        "repo": REPO,
        "root": str(ROOT),
        "cache": str(scratch / "hub"),
        "texts": TEXTS,
        "fits": reference.fits,
        "lines": card_lines(folder),
    }
    pythons = {version: environment(version) for version in versions} or {transformers.__version__: Path(sys.executable)}
    cells = []
    for door in doors:
        pairs = [(device, dtype) for device in ("cpu", "cuda") for dtype in DOORS[door][1] if device == "cpu" or dtype != "int8"]
        here = [(device, dtype) for device, dtype in pairs if device == "cpu" or torch.cuda.is_available()]
        for version, python in pythons.items():
            print(f"{door} under transformers {version}", file=sys.stderr)
            answers = open_door(python, door, job | {"reading": reading, "cells": here}, scratch / version)
            of = [eight_bits if dtype == "int8" else reference for _, dtype in here]
            reasons = [r.reason(door, dtype, given) for r, (_, dtype), given in zip(of, here, answers, strict=True)]
            cells += [Cell(door, *pair, version, FAIL if why else PASS, why) for pair, why in zip(here, reasons, strict=True)]
            cells += [Cell(door, *pair, version, NO_GPU) for pair in pairs[len(here) :]]
    return cells


def report(cells: Sequence[Cell]) -> str:
    """The table, and the reasons of what fails."""
    versions = list(dict.fromkeys(cell.version for cell in cells))
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for cell in cells:
        rows.setdefault((cell.door, cell.device, cell.dtype), {})[cell.version] = cell.state
    lines = [f"{'door':44}{'device':8}{'dtype':10}" + "".join(f"{version:>9}" for version in versions)]
    lines += [
        f"{DOORS[door][0]:44}{device:8}{dtype:10}" + "".join(f"{row[version]:>9}" for version in versions)
        for (door, device, dtype), row in rows.items()
    ]
    lines += [f"FAIL {c.door}, {c.device}, {c.dtype}, transformers {c.version}: {c.reason}" for c in cells if c.state == FAIL]
    counts = Counter(cell.state for cell in cells)
    untried = f"; {counts[NO_GPU]} not tried, no GPU here" if counts[NO_GPU] else ""
    return "\n".join([*lines, f"{counts[PASS]} of {counts[PASS] + counts[FAIL]} cells pass{untried}"])


def publish_tiny(folder: Path) -> Path:
    """Publish the network of ``tiny``, with its graph."""
    model, tokenizer = tiny()
    samples = [np.array(ids) for ids in tokenizer(list(PROBES))["input_ids"]]
    publish(model, tokenizer, folder, report=REPORT, export=partial(export_onnx, model, samples))
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a cell fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="a published folder (default: a tiny one, published for this)")
    parser.add_argument("--versions", nargs="*", default=[], metavar="5.N", help="of transformers (default: the installed one)")
    parser.add_argument("--doors", nargs="*", default=list(DOORS), choices=list(DOORS), metavar="DOOR", help=", ".join(DOORS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the cells there")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or publish_tiny(Path(scratch) / "tiny")
        cells = table(folder, options.versions, Path(scratch), options.doors)
    print(report(cells))
    if options.json:
        options.json.write_text(json.dumps([asdict(cell) for cell in cells], indent=2) + "\n", encoding="utf-8")
    return int(any(cell.state == FAIL for cell in cells))


if __name__ == "__main__":
    sys.exit(main())

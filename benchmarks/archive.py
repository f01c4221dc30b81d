"""What a long run costs, and whether killed runs come to the same bytes.

    python -m benchmarks.archive --documents 1000000 --tiny
    python -m benchmarks.archive --documents 20000 --kills 0

makes an archive of distinct sentences, a document each, composed of clauses of the seed articles with numbers of their own. ``predict``, in
a process of its own, reads the first 10,000 of them, all of them, and the first 10,000 once more; then all of them again, being killed
(SIGKILL) and started again at random moments. Noted are the most memory that a run had in use, and how memory and rate went along the way:
seconds of the clock, which other work on the machine lengthens, and of processor time, which it hardly does. With ``--tiny`` the network
takes next to no time, so that whatever grows or slows down outside it shows. Linux only. Writes a row of
benchmarks/results/archive.json; other rows stay as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models import files
from models.archive import SIZE
from models.errors import ArgumentParser, at_least, command
from models.folder import check_folder
from models.predictor import PUBLISHED

from .machine import ROOT, machine
from .news import seed_articles
from .options import check_output

POINTS = 20  # of a run, at which memory and time are noted
TICK = 0.1  # seconds between looks at a run
CLOCKS = ("second", "processor second")
Figures = dict[str, Any]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if killed runs came to other bytes."""
    parser = ArgumentParser(prog="python -m benchmarks.archive", description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=at_least(1), default=20_000)
    parser.add_argument("--small", type=at_least(1), default=10_000, help="documents of the runs that the rate is compared with")
    parser.add_argument("--shard-size", type=at_least(1), default=SIZE, help="default %(default)s")
    parser.add_argument("--kills", type=at_least(0), default=5, help="of a second run over all documents; 0: there is none")
    parser.add_argument("--model", type=Path, default=PUBLISHED, help="a published model")
    parser.add_argument("--tiny", action="store_true", help="in its place a network that takes next to no time, with its tokenizer")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/archive.json")
    options = parser.parse_args(argv)
    check_output(options.output)
    if not options.tiny:
        check_folder(options.model)
    name = f"{'tiny' if options.tiny else options.model.resolve().name}, {options.documents:,} documents"
    result: Figures = {"machine": machine(), "command": sys.argv[1:] if argv is None else list(argv), "shard size": options.shard_size}
    with tempfile.TemporaryDirectory() as folder:
        for figures in stages(Path(folder), options):
            result |= figures
            note(options.output, name, result)  # what is known so far: a run takes long
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0 if result.get("killed", {}).get("equal", True) else 1


def note(path: Path, name: str, result: Figures) -> None:
    """Put a row in its place among those that are in the file."""
    rows = files.read_json(path, "name another --output") if path.exists() else {}
    with files.write_whole(path) as out:
        out.write(json.dumps(rows | {name: result}, indent=1, ensure_ascii=False) + "\n")


def stages(work: Path, options: Namespace) -> Iterator[Figures]:
    """The runs, one after the other, and what is known after each."""
    from .subjects import tiny_model  # noqa: PLC0415 - torch, which the runs themselves do without

    model = tiny_model(options.model, work) if options.tiny else options.model
    line = [sys.executable, "-m", "models.predict", "--quiet", "--engine", "onnx", "--model", str(model)]
    line += ["--shard-size", str(options.shard_size)]
    start = run(line, archive(work / "one.jsonl", 1), work / "one")
    small, large = (archive(work / f"{number}.jsonl", number) for number in (options.small, options.documents))
    runs = []
    for source, output in ((small, "first"), (large, "whole"), (small, "last")):
        runs.append(with_rates(run(line, source, work / output), start))
        say(", ".join(f"{name} {value}" for name, value in runs[-1].items() if name != "course"))
        yield {"start": start, "runs": runs}
    if options.kills:
        found = killed(line, large, work / "killed", options.kills, runs[1]["seconds"])
        yield {"killed": found | {"equal": digest(work / "killed") == digest(work / "whole")}}


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def with_rates(figures: Figures, start: Figures) -> Figures:
    """A run's figures with what it read a second, the time that a run over one document takes set aside; None where it took no longer."""
    longer = {name: figures[f"{name}s"] - start[f"{name}s"] for name in CLOCKS}
    rates = {f"documents a {name}": round(figures["documents"] / more, 1) if more > 0 else None for name, more in longer.items()}
    return rates | figures


def sentences(seed: int = 13) -> Iterator[str]:
    """Distinct sentences without end, of 5 to 50 words, as news has them: clauses of the seed articles put together, numbers changed."""
    clauses = [clause.strip() for clause in re.split(r"[.،؛:!؟\n]", "\n".join(seed_articles())) if 3 <= len(clause.split()) <= 25]
    dice = random.Random(seed)
    for number in itertools.count(1):
        parts = dice.sample(clauses, dice.choice((1, 1, 2, 2, 3)))
        parts = [re.sub(r"[0-9۰-۹]+", lambda _: str(dice.randint(2, 9999)), part) for part in parts]
        yield f"{'، '.join(parts)} و {number} نفر."


def archive(path: Path, documents: int) -> Path:
    """A .jsonl file of so many documents."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(files.to_json({"text": sentence}) + "\n" for sentence in itertools.islice(sentences(), documents))
    return path


def run(line: Sequence[str], source: Path, output: Path) -> Figures:
    """One whole run: its seconds, the most memory that it had in use, and how it came to both. Raises RuntimeError if it fails."""
    began, before = time.perf_counter(), children()
    process = begin(line, source, output)
    points = []
    while process.poll() is None:
        with contextlib.suppress(OSError, IndexError):  # it has ended since
            points.append(look(process.pid, output) | {"seconds": round(time.perf_counter() - began, 1)})
        time.sleep(TICK)
    seconds, spent = time.perf_counter() - began, children() - before
    if process.returncode:
        raise RuntimeError(f"predict ended with {process.returncode}")
    total = finished(output)
    course = [next((point for point in points if point["documents"] >= total * i / POINTS), points[-1]) for i in range(1, POINTS + 1)]
    figures = {"documents": total, "seconds": round(seconds, 2), "processor seconds": round(spent, 2)}
    return figures | {"peak MB": points[-1]["peak MB"], "course": list({point["documents"]: point for point in course}.values())}


def begin(line: Sequence[str], source: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start ``predict`` over a file into a folder."""
    return subprocess.Popen([*line, "--input", str(source), "--output", f"{output}/"], cwd=ROOT)


def children() -> float:
    """Processor seconds of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def look(pid: int, output: Path) -> Figures:
    """How far a run has come. Raises OSError or IndexError where it has ended."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    memory = {name: int(status.split(f"{field}:")[1].split()[0]) // 1024 for name, field in (("MB", "VmRSS"), ("peak MB", "VmHWM"))}
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return {"documents": finished(output), "processor seconds": sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")} | memory


def finished(output: Path) -> int:
    """Documents of a run's finished shards, as its manifest has them."""
    manifest = output / "manifest.jsonl"
    lines = manifest.read_bytes().split(b"\n")[1:-1] if manifest.exists() else []  # after the header, whole lines
    return int(json.loads(lines[-1])["documents"]) if lines else 0


def killed(line: Sequence[str], source: Path, output: Path, kills: int, seconds: float) -> Figures:
    """Kill a run at random moments of what it takes uninterrupted, and start it again each time, at last to its end."""
    dice = random.Random(13)
    moments = [0.0, *sorted(dice.uniform(0.02, 0.9) * seconds for _ in range(kills))]
    found = []
    for after in (then - now for now, then in itertools.pairwise(moments)):
        process = begin(line, source, output)
        try:
            process.wait(after)
            break  # it came to its end first
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            say(f"killed after {after:.1f} seconds, {finished(output):,} documents finished")
            found.append({"after seconds": round(after, 1), "documents finished": finished(output)})
    last = run(line, source, output)
    return {"kills": found, "last": {name: last[name] for name in ("seconds", "peak MB")}}


def digest(folder: Path) -> str:
    """Of a folder's files, names and bytes."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found.update(path.name.encode() + b"\n" + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())

"""What a long run costs: documents a second and peak memory at two sizes, and whether killed runs come to the same bytes.

    python benchmarks/archive.py --documents 1000000 --kill-at 100000

makes an archive of distinct sentences, composed of clauses of the seed articles with numbers of their own, reads 10,000 documents and then
all of them with ``predict`` in a process of its own, kills runs over ``--kill-at`` documents at five random points, resumes each, and
compares with an uninterrupted run. A document is one sentence. Writes benchmarks/results/archive.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
KILLS = 5


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 1 if a resumed run came to other bytes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--small", type=int, default=10_000, help="documents of the run that the rate is compared with")
    parser.add_argument("--kill-at", type=int, default=2_000, help="documents of the runs that are killed; 0: none")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/archive.json")
    parser.add_argument("predict", nargs="*", help="further options of predict, after --")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sizes = sorted({options.small, options.documents})
        runs = [measure(work, size, options.predict) for size in sizes]
        kills = killed(work, options.kill_at, options.predict) if options.kill_at else None
    machine = {"cores": len(os.sched_getaffinity(0)), "processor": processor(), "python": platform.python_version()}
    result = {"machine": machine, "predict": options.predict, "runs": runs, "killed": kills}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0 if kills is None or kills["equal"] else 1


def processor() -> str:
    """The processor's name, where the system tells."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text(encoding="utf-8")) if info.exists() else None
    return found[1] if found else platform.processor()


def sentences(seed: int = 13) -> Iterator[str]:
    """Distinct sentences without end, of 5 to 50 words, as news has them: clauses of the seed articles put together, numbers changed."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "seeds/articles").glob("*.txt")))
    clauses = [clause.strip() for clause in re.split(r"[.،؛:!؟\n]", text) if 3 <= len(clause.split()) <= 25]
    dice = random.Random(seed)
    number = 0
    while True:
        number += 1
        parts = dice.sample(clauses, dice.choice((1, 1, 2, 2, 3)))
        parts = [re.sub(r"[0-9۰-۹]+", lambda _: str(dice.randint(2, 9999)), part) for part in parts]
        yield f"{'، '.join(parts)} و {number} نفر."


def archive(path: Path, documents: int) -> Path:
    """A .jsonl file of so many documents."""
    with path.open("w", encoding="utf-8") as file:
        for _, sentence in zip(range(documents), sentences(), strict=False):
            file.write(json.dumps({"text": sentence}, ensure_ascii=False) + "\n")
    return path


def command(source: Path, output: Path, options: list[str]) -> list[str]:
    """``predict`` over a file into a folder."""
    return [sys.executable, "-m", "models.predict", "--input", str(source), "--output", f"{output}/", "--quiet", *options]


def measure(work: Path, documents: int, options: list[str]) -> dict[str, object]:
    """One run: seconds of the whole process, sentences a second, and the most memory that one of its processes had."""
    source = archive(work / f"{documents}.jsonl", documents)
    began = time.perf_counter()
    process = subprocess.Popen(command(source, work / f"out-{documents}", options), cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"predict ended with {process.returncode}")
    return {
        "documents": documents,
        "seconds": round(seconds, 1),
        "sentences_per_second": round(documents / seconds, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),  # the largest of the process and its workers
    }


def killed(work: Path, documents: int, options: list[str]) -> dict[str, object]:
    """Kill a run at random moments of what it takes uninterrupted, resuming it each time; compare all its files with the other's."""
    source = archive(work / "kill.jsonl", documents)
    options = [*options, "--shard-size", str(max(1, documents // 20))]
    began = time.perf_counter()
    subprocess.run(command(source, work / "whole", options), cwd=ROOT, check=True)
    seconds = time.perf_counter() - began
    dice, done, moments = random.Random(13), 0, []
    while done < KILLS:
        process = subprocess.Popen(command(source, work / "killed", options), cwd=ROOT)
        moments.append(round(dice.uniform(0.02, 0.3) * seconds, 1))
        try:
            process.wait(moments[-1])
            break  # it came to its end first
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1
    subprocess.run(command(source, work / "killed", options), cwd=ROOT, check=True)
    return {"documents": documents, "kills": done, "after_seconds": moments, "equal": digest(work / "killed") == digest(work / "whole")}


def digest(folder: Path) -> str:
    """Of a folder's files, names and bytes."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + b"\n" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())

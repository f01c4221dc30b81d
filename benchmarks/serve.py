"""``python -m benchmarks.serve [--callers 1,8,32] [--json FILE] [-- option of models.serve …]``: what sharing batches is worth to callers.

Starts the service, and asks it for one news sentence a request, all distinct, each caller asking again as soon as it is answered. Rounds
of the different numbers of callers take turns; printed are the medians of the rounds: requests a second, the 50th and 99th percentile of
the time that an answer took, and the processor time that the service spent on a request, which a busy machine disturbs least.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx2

from models import files
from models.errors import ArgumentParser, UserError, at_least, command

from .machine import ROOT, machine
from .news import seed_sentences
from .options import check_output


def texts() -> Iterator[str]:
    """Sentences of the seed articles, over and over, each time with another number in them."""
    found = seed_sentences()
    for number in count(1):
        for sentence in found:
            yield f"{sentence.rstrip('.')} ({number})."


@contextmanager
def service(options: list[str]) -> Iterator[str]:
    """The address of a service of its own process. Raises UserError with its first line where it does not start."""
    line = [sys.executable, "-m", "models.serve", "--port", "0", *options]
    with subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        first = process.stderr.readline()
        if not first.startswith("serving "):
            raise UserError(first.strip().removeprefix("error: "))
        try:
            yield first.split(" on ")[1].split()[0]
        finally:
            process.terminate()


def processor_time(address: str) -> float:
    """Seconds that the service has used so far."""
    lines = httpx2.get(f"{address}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_cpu_seconds_total "))


async def ask(address: str, callers: int, requests: int, source: Iterator[str]) -> tuple[float, list[float]]:
    """Seconds that all the requests took together, and each by itself."""
    left = iter(range(requests))
    seconds: list[float] = []

    async def caller(client: httpx2.AsyncClient) -> None:
        for _ in left:
            body = {"documents": [{"text": next(source)}]}
            began = time.perf_counter()
            (await client.post("/predict", json=body)).raise_for_status()
            seconds.append(time.perf_counter() - began)

    limits = httpx2.Limits(max_connections=callers)
    async with httpx2.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        began = time.perf_counter()
        await asyncio.gather(*(caller(client) for _ in range(callers)))
        return time.perf_counter() - began, seconds


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--callers", type=_numbers, default="1,8,32", help="how many at a time, in turns; default %(default)s")
    parser.add_argument("--requests", type=at_least(2), default=200, help="a round; default %(default)s")
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--json", type=Path, help="a file for all rounds' figures")
    parser.add_argument("options", nargs="*", help="of models.serve, after --")
    options = parser.parse_args(argv)
    if options.json:
        check_output(options.json)
    figures: dict[int, list[tuple[float, ...]]] = {number: [] for number in options.callers}
    source = texts()
    with service(options.options) as address:
        for _ in range(options.rounds):
            for number in options.callers:
                before = processor_time(address)
                total, seconds = asyncio.run(ask(address, number, options.requests, source))
                cuts = statistics.quantiles(seconds, n=100, method="inclusive")
                spent = (processor_time(address) - before) / options.requests
                figures[number].append((options.requests / total, cuts[49] * 1000, cuts[98] * 1000, spent * 1000))
    medians = {number: [statistics.median(column) for column in zip(*rounds, strict=True)] for number, rounds in figures.items()}
    print(f"{'callers':>7} {'requests/s':>10} {'p50 ms':>7} {'p99 ms':>7} {'cpu ms a request':>17}")
    for number, (rate, p50, p99, spent) in medians.items():
        print(f"{number:7} {rate:10.1f} {p50:7.1f} {p99:7.1f} {spent:17.1f}")
    if options.json:
        record = {"machine": machine(), "command": sys.argv[1:] if argv is None else list(argv), "rounds": figures}
        with files.write_whole(options.json) as out:
            out.write(json.dumps(record, indent=1) + "\n")
    return 0


def _numbers(text: str) -> list[int]:
    """The type of an option that is whole numbers from 1 with commas between them, each counted once."""
    return list(dict.fromkeys(map(at_least(1), text.split(","))))


if __name__ == "__main__":
    sys.exit(main())

"""What a long run is cut into: shards, each read by one call of a Predictor, here, in processes of this machine, or by Ray.

A shard is read as if it were all there is: what a network gives for a sentence depends, in the last digits, on the batch that it is in, so
that a run which was interrupted, or spread over workers, writes what an uninterrupted one would only because its shards are the same.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache

from .errors import UserError
from .files import to_json
from .onnx_engine import processors
from .predictor import Predictor, load
from .records import Article
from .render import write
from .sources import Record, Sources

CHARACTERS = 2_000_000  # of a shard, but for its last document: what is in memory at once


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive records: the documents, and a line of JSON for each record that was none.

    ``records`` counts the run's up to this shard's end, ``digest`` is of all of these, and ``position`` how many bytes of the input they
    take on the disk.
    """

    number: int
    articles: tuple[Article, ...]
    errors: tuple[str, ...]
    records: int
    digest: str
    position: int


class Cutter:
    """Cuts the records of sources into shards, from the start or from where an earlier run came to."""

    def __init__(self, sources: Sources, size: int, strict: bool = False) -> None:
        """``size`` is of a shard, in records. If ``strict``, the first that cannot be read is alone in the last shard."""
        self._sources = sources
        self._records = sources.records()
        self._size = size
        self._strict = strict
        self._number = 0
        self._seen = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._file, self._before, self._within = "", 0, 0  # being read; bytes of those before it; bytes read of it

    def __reduce__(self) -> tuple[Callable[..., Cutter], tuple[object, ...]]:
        """A copy, in another process, goes on from where this one is."""
        return _resumed, (self._sources, self._size, self._strict, self._number, self._seen)

    @property
    def position(self) -> int:
        """Bytes of the input, as it is on the disk, that have been read."""
        return self._before + self._within

    def skip(self, shards: int, records: int) -> str:
        """Pass over what has been done; gives the digest of it, to be compared with what it was then."""
        self._number = shards
        while self._seen < records and self._next():
            pass
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Shard]:
        articles: list[Article] = []
        errors: list[str] = []
        characters = 0
        while record := self._next():
            try:
                article = record.article()
            except UserError as error:
                errors.append(_error(record, error))
                if self._strict:
                    yield self._shard([], errors[-1:])
                    return
            else:
                articles.append(article)
                characters += len(article.text)
            if len(articles) + len(errors) >= self._size or characters >= CHARACTERS:
                yield self._shard(articles, errors)
                articles, errors, characters = [], [], 0
        if articles or errors:
            yield self._shard(articles, errors)

    def _shard(self, articles: list[Article], errors: list[str]) -> Shard:
        self._number += 1
        return Shard(self._number - 1, tuple(articles), tuple(errors), self._seen, self._digest.hexdigest(), self.position)

    def _next(self) -> Record | None:
        record = next(self._records, None)
        if record:
            self._seen += 1
            data = b"" if isinstance(record.data, UserError) else record.data
            self._digest.update(f"{record.id}\n{len(data)}\n".encode() + data)
            if record.source != self._file:
                self._file, self._before, self._within = record.source, self._before + self._within, 0
            self._within = max(self._within, record.position)
        return record


def _resumed(sources: Sources, size: int, strict: bool, shards: int, records: int) -> Cutter:
    cutter = Cutter(sources, size, strict)
    cutter.skip(shards, records)
    return cutter


def _error(record: Record, error: UserError) -> str:
    place = {record.unit: record.number} if record.number else {}
    line = to_json({"file": record.source, **place, "error": str(error)})
    return line.encode(errors="backslashreplace").decode()  # the name of a file need not be Unicode


@dataclass(frozen=True, slots=True)
class Job:
    """How to read a shard: a model, where and by what it runs (see ``engines.resolve``), and the format of what is written."""

    model: str
    device: str
    engine: str
    format: str

    def read(self, articles: Iterable[Article]) -> bytes:
        """A shard's file. The model is loaded by the first call in a process."""
        out = io.BytesIO()
        write(_predictor(self.model, self.device, self.engine).predict(articles), self.format, out)
        return out.getvalue()


@cache
def _predictor(model: str, device: str, engine: str) -> Predictor:
    return load(model, device, engine)


Read = Generator[tuple[Shard, bytes], None, None]
Reader = Callable[[Cutter, Job], Read]  # gives each shard with its file, in order


def read_here(shards: Cutter, job: Job) -> Read:
    """Read shards in this process, one after the other."""
    return ((shard, job.read(shard.articles)) for shard in shards)


def read_in_processes(shards: Cutter, job: Job, workers: int) -> Read:
    """Read shards in processes that have a model each; at most two shards a worker are in memory.

    Raises UserError where a worker dies. However this ends, no worker is left.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processors() // workers)))  # or they fight over the cores
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
    waiting: deque[tuple[Shard, Future[bytes]]] = deque()
    try:
        for shard in shards:
            waiting.append((shard, pool.submit(job.read, shard.articles)))
            if len(waiting) >= 2 * workers:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())
    except BrokenProcessPool:
        raise UserError("a worker was ended from outside, perhaps for its memory; run the command again, with fewer --workers") from None
    finally:
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _result(shard: Shard, future: Future[bytes]) -> tuple[Shard, bytes]:
    return shard, future.result()


def _begin() -> None:
    """In a worker: Ctrl-C is for the command to act on, and when the command is gone, however it went, so is the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    command = multiprocessing.parent_process()
    if command:
        command.join()
    os._exit(1)

"""Requests of many callers, read together: one thread runs the predictor over all documents that wait.

Predictor batches by length, and fills its batches the better the more sentences it is given at once; so callers share them. Whatever
goes wrong with one request's documents stays with that request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Protocol

from .errors import first_line
from .files import to_json
from .records import Article, Prediction

WAIT = 0.002  # seconds
FULL = 20_000  # characters: about 200 sentences, enough to batch well, few enough that a caller does not wait long for others' documents


class Reader(Protocol):
    """The part of Predictor that is used."""

    def predict(self, documents: Iterable[str | Article]) -> Iterator[Prediction]: ...


@dataclass(frozen=True, slots=True)
class _Job:
    """One request: its documents, and where their predictions go, each as a line of JSON."""

    documents: Sequence[Article]
    answer: Future[list[str]] = field(default_factory=Future)


class Batcher:
    """Takes documents from any thread and reads them in its own, those of several callers in one go.

    ``wait``: seconds that the first request of a batch waits for others to join it; those that came while the thread was at work join in
    any case. ``report`` is told of every batch: requests, documents.
    """

    def __init__(self, predictor: Reader, wait: float = WAIT, report: Callable[[int, int], None] | None = None) -> None:
        self.predictor = predictor
        self.wait = wait
        self.report = report
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()  # None: no more will come
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)  # a hurried exit does not wait for a batch
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether it takes documents."""
        return not self._closed and self._thread.is_alive()

    def submit(self, documents: Sequence[Article]) -> Future[list[str]]:
        """The predictions to come, ``Prediction.to_dict()`` as a line of JSON each; cancel it before its batch begins, and it is not read.

        It holds what Predictor.predict raises for these documents, a RuntimeError in place of what is no Exception. Raises RuntimeError
        after ``close``.
        """
        job = _Job(documents)
        with self._lock:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._queue.put(job)
        return job.answer

    def close(self, timeout: float | None = None) -> None:
        """Take no more documents, and wait until those taken are read, or for so many seconds."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join(timeout)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            jobs = [job for job in self._gather(job) if job.answer.set_running_or_notify_cancel()]
            if jobs and self.report:
                self.report(len(jobs), sum(len(job.documents) for job in jobs))
            self._read(jobs)

    def _gather(self, first: _Job) -> list[_Job]:
        """The first request and all that wait behind it or come within ``wait``, as far as one batch goes."""
        jobs, size, deadline = [first], _size(first), time.monotonic() + self.wait
        while size < FULL:
            try:
                job = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            jobs.append(job)
            size += _size(job)
        return jobs

    def _read(self, jobs: Sequence[_Job]) -> None:
        """Answer the requests; where one spoils the batch, each by itself."""
        try:
            predictions = self.predictor.predict(document for job in jobs for document in job.documents)
            for job in jobs:
                job.answer.set_result([to_json(prediction.to_dict()) for prediction in islice(predictions, len(job.documents))])
        except BaseException as error:  # nothing narrower: whatever it is, it is handed on, and the thread lives
            if len(jobs) == 1:
                jobs[0].answer.set_exception(_as_exception(error))
                return
            for job in jobs:
                if not job.answer.done():
                    self._read([job])


def _as_exception(error: BaseException) -> Exception:
    """What a server answers and lives on: the tokenizers library, where it panics, raises what is no Exception."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(first_line(error))
    wrapped.__cause__ = error
    return wrapped


def _size(job: _Job) -> int:
    return sum(len(document.text) for document in job.documents)

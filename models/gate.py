"""Before a request is read: whether there is room for it, how large and how slow it may be; and what is counted of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREDICT = "/predict"
_AGAIN = "1"  # seconds after which a caller that was sent away may try again


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a request: its bytes, documents, characters a document, and seconds until its body is here. ``waiting``: requests in hand at once,
    being received, waiting or being read; so ``waiting`` times ``bytes`` bounds the memory that they take.
    """

    bytes: int = 1 << 20
    documents: int = 100
    characters: int = 50_000
    waiting: int = 128
    seconds: float = 10.0


class Refusal(HTTPException):
    """An HTTP status in place of an answer, what to do, and perhaps the field of the request that it is about."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(status, message, {"Retry-After": _AGAIN} if status == 503 else None)
        self.field = field


class Metrics:
    """What is counted, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        sizes = (1, 2, 4, 8, 16, 32, 64, 128)
        self.requests = Counter("gozareh_requests", "Requests to /predict, by status", ["status"], registry=self.registry)
        self.seconds = Histogram("gozareh_request_seconds", "From a request's header to the end of its answer", registry=self.registry)
        self.in_hand = Gauge("gozareh_requests_in_hand", "Requests being received, waiting or being read", registry=self.registry)
        self.documents = Counter("gozareh_documents", "Documents that went into batches", registry=self.registry)
        self.batches = Histogram("gozareh_batch_requests", "Requests that were read together", buckets=sizes, registry=self.registry)

    def batch(self, requests: int, documents: int) -> None:
        """Count a batch."""
        self.batches.observe(requests)
        self.documents.inc(documents)


class Gate:
    """ASGI middleware before POST /predict, all else goes through. Refuses what is not JSON (and with it what a web page can send to a
    service on the reader's own machine), too large, too slow, or more than there is room for.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self.app = app
        self.limits = limits
        self.metrics = metrics
        self.in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise nothing of its own: a refusal is raised where the application reads the body, and so answered as any other error."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", PREDICT):
            await self.app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.metrics.requests.labels(message["status"]).inc()
            await send(message)

        if refusal := self._refusal(Headers(scope=scope)):
            await self.app(scope, _refusing(refusal), counted)
            return
        self._count(+1)
        try:
            with self.metrics.seconds.time():
                await self.app(scope, self._limited(receive), counted)
        except Exception:  # it is answered further out
            self.metrics.requests.labels(500).inc()
            raise
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.in_hand += change
        self.metrics.in_hand.set(self.in_hand)

    def _refusal(self, headers: Headers) -> Refusal | None:
        """What the header alone gives reason for."""
        if self.in_hand >= self.limits.waiting:
            return Refusal(503, f"{self.in_hand} requests in hand already; try again later")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return Refusal(415, "the content type is not application/json; send that header, and a body of JSON")
        length = headers.get("content-length", "")
        return self._too_large() if length.isdecimal() and int(length) > self.limits.bytes else None

    def _too_large(self) -> Refusal:
        return Refusal(413, f"a body of more than {self.limits.bytes} bytes; send the documents in several requests")

    def _limited(self, receive: Receive) -> Receive:
        """``receive``, as long as the body keeps to its limits."""
        size, whole, deadline = 0, False, time.monotonic() + self.limits.seconds

        async def limited() -> Message:
            nonlocal size, whole
            try:
                message = await asyncio.wait_for(receive(), None if whole else max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                raise Refusal(408, f"the body was not here within {self.limits.seconds:g} seconds; send it faster or in parts") from None
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                whole = not message.get("more_body", False)
            if size > self.limits.bytes:
                raise self._too_large()
            return message

        return limited


def _refusing(refusal: Refusal) -> Receive:
    async def receive() -> Message:
        raise refusal

    return receive

"""The HTTP service: what is asked and answered, its limits, errors, health and metrics. ``models.serve`` runs it.

    POST /predict      {"documents": [{"text": "…", "id": "a"}, …]}  ->  {"predictions": [{"id": "a", "text": "…", "sentences": […]}, …]}
    GET /health        200 where documents are taken, 503 where not (any more); /health/live: 200 as long as the process answers at all
    GET /metrics       Prometheus' text format
    GET /openapi.json  all this for programs

An error is {"error": {"code": "…", "message": "…", "field": "documents.0.text"}}, whatever went wrong; ``field`` only where there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field
from starlette.exceptions import HTTPException

from .batcher import WAIT, Batcher, Reader
from .errors import UserError
from .gate import PREDICT, Gate, Limits, Metrics, Refusal
from .records import Article

_LAST_BATCH = 5.0  # seconds that a batch nobody waits for any more may take when the service stops
_GONE = 499  # nginx's number for a caller that did not wait; it is only counted
_CODES = {
    400: "bad_json",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "not_json",
    422: "invalid",
    500: "internal",
    503: "unavailable",
}


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half a surrogate pair at character {error.start}; decode the text again") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Answered(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Document(_Asked):
    """One document to read; without an id it is named by its place: "1", "2", …"""

    text: Text
    id: Text | None = None


class Question(_Asked):
    """What is posted to /predict."""

    documents: Annotated[list[Document], FailFast()]


class Claim(_Answered):
    """What kind of claim a sentence makes; ``label`` is null where the best score is under the model's threshold."""

    label: str | None
    score: float
    scores: dict[str, float]


class Span(_Answered):
    """Who, in what office, how much, under which programme. A NUMBER whose meaning is known also has ``value`` and ``unit``."""

    label: str
    start: int
    end: int
    text: str
    score: float
    value: float | None = None
    unit: str | None = None


class Sentence(_Answered):
    """Offsets, a span's too, are half-open, in Unicode code points, into the document. ``claim`` is null for a model without that head."""

    start: int
    end: int
    text: str
    claim: Claim | None
    spans: list[Span]


class Prediction(_Answered):
    """All that was read in one document: the same JSON as a line of ``predict --format jsonl``."""

    id: str
    text: str
    sentences: list[Sentence]


class Answer(_Answered):
    """Predictions in the order of the documents."""

    predictions: list[Prediction]


class Fault(_Answered):
    """``code`` is for programs, ``message`` says what to do."""

    code: str
    message: str
    field: Annotated[str | None, Field(description="where in the request, such as documents.0.text; left out where it is no one place")] = (
        None
    )


class Failure(_Answered):
    """Any answer that is not the one asked for."""

    error: Fault


class Health(_Answered):
    """``status``: ready or live."""

    status: str


def _failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Failure, "description": _CODES[status]} for status in statuses}


def create_app(predictor: Reader, limits: Limits | None = None, wait: float = WAIT) -> FastAPI:
    """The service around a predictor, as an ASGI application. ``wait``: see ``Batcher``."""
    limits = limits or Limits()
    metrics = Metrics()
    batcher = Batcher(predictor, wait, metrics.batch)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(batcher.close, _LAST_BATCH)

    app = FastAPI(
        title="Gozareh",
        description="Reads Persian news: persons, roles, numbers, programmes, and what kind of claim each sentence makes. "
        f"A request: at most {limits.bytes} bytes, {limits.documents} documents, {limits.characters} characters a document.",
        docs_url=None,  # a page that loads its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.add_middleware(Gate, limits=limits, metrics=metrics)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(Exception, _fault)

    @app.post(PREDICT, summary="Read documents", response_model=Answer, responses=_failures(400, 408, 413, 415, 422, 500, 503))
    async def predict(question: Question, request: Request) -> Response:
        return await _predict(batcher, _articles(question, limits), request)

    @app.get("/health", summary="Whether documents are taken", responses=_failures(503))
    async def ready() -> Health:
        if not batcher.ready:
            raise Refusal(503, "shutting down; ask another server")
        return Health(status="ready")

    @app.get("/health/live", summary="Whether the process answers at all")
    async def live() -> Health:
        return Health(status="live")

    @app.get(
        "/metrics", summary="Metrics in Prometheus' text format", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
    )
    async def measured() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _articles(question: Question, limits: Limits) -> list[Article]:
    """The documents. Raises Refusal if there are too many, or one is too long."""
    if len(question.documents) > limits.documents:
        raise Refusal(422, f"{len(question.documents)} documents, over {limits.documents}; send them in several requests", "documents")
    for number, document in enumerate(question.documents):
        if len(document.text) > limits.characters:
            message = f"{len(document.text)} characters, over {limits.characters}; send the document in parts"
            raise Refusal(422, message, f"documents.{number}.text")
    return [
        Article(str(number) if document.id is None else document.id, document.text, ((0, len(document.text)),))
        for number, document in enumerate(question.documents, 1)
    ]


async def _predict(batcher: Batcher, articles: list[Article], request: Request) -> Response:
    """The answer, unless the caller goes away first, or the time is up that a service has to stop in."""
    if not batcher.ready:
        raise Refusal(503, "shutting down; ask another server")
    answer = asyncio.wrap_future(batcher.submit(articles))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            return Response(status_code=_GONE)
        return Response(f'{{"predictions": [{", ".join(answer.result())}]}}', media_type="application/json")
    except asyncio.CancelledError:
        raise Refusal(503, "shutting down; ask another server") from None
    finally:
        gone.cancel()
        answer.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


# --- errors, all in one form ---


def _failure(status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    error = {"code": _CODES.get(status, "error"), "message": message} | ({"field": field} if field else {})
    return JSONResponse({"error": error}, status, dict(headers or {}))


async def _refused(request: Request, error: Exception) -> Response:
    """What Starlette and FastAPI refuse, and what this service does."""
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = "nothing here; POST /predict, GET /health, /health/live, /metrics or /openapi.json"
    elif error.status_code == 405:
        message = f"{request.method} is not taken here; use {(error.headers or {}).get('Allow', 'another method')}"
    elif error.status_code == 400:  # FastAPI's own, for all that json.loads raises beside JSONDecodeError
        message = "the body is not readable JSON; send it as UTF-8, numbers and nesting within reason"
    return _failure(error.status_code, message, getattr(error, "field", None), error.headers)


async def _not_valid(_request: Request, error: Exception) -> Response:
    """The first thing that is wrong with a body."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = first["loc"][1:]
    if first["type"] == "json_invalid":
        return _failure(400, f"the body is not JSON: {first['ctx']['error']}, character {place[0]}")
    field = ".".join(map(str, place))[:100]
    message = first["msg"].removeprefix("Value error, ")
    return _failure(422, message if field else f'the body: {message}; send {{"documents": [{{"text": "…"}}]}}', field or None)


async def _user_error(_request: Request, error: Exception) -> Response:
    return _failure(422, str(error))


async def _fault(_request: Request, _error: Exception) -> Response:
    """Starlette raises the error again after this answer, and so it gets into the log."""
    return _failure(500, "a fault of ours, not of your request; the server's log has it")

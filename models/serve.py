"""``python -m models.serve``: a model as an HTTP service (extra ``serve``). On this machine alone, unless told otherwise.

Exit codes: 0 stopped by SIGTERM or Ctrl-C, all that was in hand answered; 2 usage or bad input (one line on standard error); 1 a fault of
ours.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .errors import ArgumentParser, UserError, command, first_line
from .predictor import PUBLISHED, Predictor, load

if TYPE_CHECKING:
    from fastapi import FastAPI

_SENTENCE = "۴۰۰ مرکز افتتاح شد."


def _number(kind: type[int] | type[float], low: float, high: float = float("inf")) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(-1)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no number {f'from {low} up' if high == float('inf') else f'within {low} and {high}'}"
            )
        return value

    return parse


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m models.serve",
        description="Serve a model over HTTP: POST /predict, GET /health, /metrics and /openapi.json.",
    )
    count, time = _number(int, 1), _number(float, 0, 60_000)
    parser.add_argument(
        "--model",
        default=str(PUBLISHED),
        metavar="DIR|HUB",
        help="a folder, a hub name, or the bare name of a released model; compact by default",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; %(default)s, this machine alone, by default")
    parser.add_argument("--port", type=_number(int, 0, 65535), default=8000, help="%(default)s by default; 0 takes a free one")
    parser.add_argument("--engine", choices=("auto", "torch", "onnx"), default="auto", help="onnx: the folder's ONNX graph")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N; auto takes a GPU if there is one")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--max-bytes", type=count, default=1 << 20, metavar="N", help="of a request; %(default)s by default")
    limits.add_argument("--max-documents", type=count, default=100, metavar="N", help="of a request; %(default)s by default")
    limits.add_argument("--max-characters", type=count, default=50_000, metavar="N", help="of a document; %(default)s by default")
    limits.add_argument(
        "--max-waiting", type=count, default=128, metavar="N", help="requests in hand; more get 503; %(default)s by default"
    )
    limits.add_argument(
        "--batch-wait", type=time, default=2.0, metavar="MS", help="that a request waits for others; %(default)s by default"
    )
    limits.add_argument("--grace", type=count, default=30, metavar="S", help="seconds to finish in when stopped; %(default)s by default")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, until it is told to stop."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit:  # --help
        return 0
    try:
        from .gate import Limits  # noqa: PLC0415 - an extra
        from .service import create_app  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"the package {error.name} is not installed; pip install 'gozareh[serve]'") from None
    with _bound(options.host, options.port) as listener:  # before the model is loaded: a port in use is known at once
        predictor = _load(options.model, options.device, options.engine)
        limits = Limits(options.max_bytes, options.max_documents, options.max_characters, options.max_waiting)
        return _run(create_app(predictor, limits, options.batch_wait / 1000), listener, options.grace, options.model)


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the address, which does not listen yet: until the model is loaded, callers are refused and need not wait."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:  # UnicodeError: of "127.0.0..1"
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"--host {host}: no address of this machine: {reason}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just stopped does not hold the port
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _not_bound(host, port, error) from None
    return listener


def _not_bound(host: str, port: int, error: OSError) -> UserError:
    return UserError(f"{host}, port {port}: cannot be listened on: {error.strerror}; name another --port or --host")


def _load(model: str, device: str, engine: str) -> Predictor:
    """The predictor, after it has read a sentence: what is loaded or compiled on first use is there, and what fails has failed."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    predictor = load(model, device, engine)
    list(predictor.predict([_SENTENCE]))
    return predictor


def _run(app: FastAPI, listener: socket.socket, grace: int, name: str) -> int:
    """Serve until a signal; then take no more connections, answer what is in hand, and return the exit code."""
    import uvicorn  # noqa: PLC0415 - an extra

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", proxy_headers=False, server_header=False, timeout_graceful_shutdown=grace
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)  # uvicorn takes them over, and gives each that it got to this one when it is done
    host, port = listener.getsockname()[:2]
    try:
        listener.listen()
    except OSError as error:
        raise _not_bound(host, port, error) from None
    print(f"serving {name} on http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C stops it)", file=sys.stderr, flush=True)
    server.run(sockets=[listener])
    return 130 if server.force_exit else 0


if __name__ == "__main__":
    sys.exit(main(None))

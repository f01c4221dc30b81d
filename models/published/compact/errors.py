"""A user's mistake, and how every command reports one: a single line on standard error and exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn, Protocol


class UserError(Exception):
    """Something the user can mend: the message is one line that names the file, line and field, and the remedy."""


def first_line(error: BaseException) -> str:
    """What an error of a library's says, in one line of bearable length."""
    line = str(error).strip().split("\n")[0][:300] or type(error).__name__
    return line if line.isprintable() else ascii(line)


class ArgumentParser(argparse.ArgumentParser):
    """argparse's, but a mistake is one line, as any other of the user's is."""

    def error(self, message: str) -> NoReturn:
        """Raise it as a UserError."""
        raise UserError(f"{message}; see {self.prog} --help")


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number, ``least`` or more."""

    def number(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least}")
        return int(text)

    return number


class Main(Protocol):
    """A command: arguments (``sys.argv``'s where None) in, exit code out."""

    def __call__(self, argv: Sequence[str] | None = None) -> int: ...


def command(main: Callable[[Sequence[str] | None], int]) -> Main:
    """Wrap a command's ``main(argv) -> exit code``: 2 after a UserError, 130 after Ctrl-C, 1 (with the traceback) after a fault of ours."""

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        _open_streams()
        with _noting_interruptions() as noted:
            try:
                return main(argv)
            except (KeyboardInterrupt, Exception) as error:
                return _reported(KeyboardInterrupt() if noted else error)

    return run


@contextlib.contextmanager
def _noting_interruptions() -> Iterator[list[int]]:
    """A list that Ctrl-C adds to before it raises. What it cuts off raises errors of its own (a pipe to a process that it ended, a thread
    not yet begun), which come after it, or alone where it fell into a finalizer and Python dropped it.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_streams() -> None:
    """Put one that leads nowhere in the place of each standard stream that is closed, for which Python has None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="backslashreplace"))  # noqa: SIM115 - open to the end


def _reported(error: BaseException) -> int:
    """Say on standard error what ended a command; gives its exit code."""
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if isinstance(error, UserError):
        print(f"error: {error}", file=sys.stderr)
        return 2
    if isinstance(error, BrokenPipeError):  # the reader of our pipe has gone (`predict | head`): nothing to report, nothing to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    traceback.print_exception(error)
    print(f"error: a fault of ours, not of your input: {type(error).__name__}: {error}", file=sys.stderr)
    return 1

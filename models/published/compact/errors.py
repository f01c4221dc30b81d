"""A user's mistake, and how every command reports one: a single line on standard error and exit code 2."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
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


class Main(Protocol):
    """A command: arguments (``sys.argv``'s where None) in, exit code out."""

    def __call__(self, argv: Sequence[str] | None = None) -> int: ...


def command(main: Callable[[Sequence[str] | None], int]) -> Main:
    """Wrap a command's ``main(argv) -> exit code``: 2 after a UserError, 130 after Ctrl-C, 1 (with the traceback) after a fault of ours."""

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        _open_streams()
        try:
            return main(argv)
        except (KeyboardInterrupt, Exception) as error:
            return _reported(error)

    return run


def _open_streams() -> None:
    """Put one that leads nowhere in the place of each standard stream that is closed, for which Python has None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="backslashreplace"))  # noqa: SIM115 - open to the end


def _reported(error: BaseException) -> int:
    """Say on standard error what ended a command; gives its exit code."""
    if _interrupted(error):
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


def _interrupted(error: BaseException | None) -> bool:
    """Whether an error is Ctrl-C's, or was raised where Ctrl-C cut something off: a pipe to a process it ended, a thread not yet begun."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None

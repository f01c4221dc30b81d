"""``predict --output FOLDER/``: a long run over an archive, written in shards, that goes on where it was interrupted.

The folder holds part-00000.jsonl (or .csv, .parquet) and on, ``errors.jsonl`` with a line for each record that could not be read, and
``manifest.jsonl``: what the run is, then a line for each finished shard. A shard is put in its place whole, its errors are added, then its
line in the manifest, each on the disk before the next begins: the last whole line says how far the run came, whatever is there beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from .errors import UserError
from .files import access, room_for, to_json, write_whole_bytes
from .shards import Cutter, Job, Reader, Shard
from .sources import Sources

FORMATS = ("jsonl", "csv", "parquet")  # that can be cut
SIZE = 5000  # records of a shard: so much is lost at most when a run is interrupted
_FORMAT = 1  # of the folder
_MANIFEST, _ERRORS = "manifest.jsonl", "errors.jsonl"
_SHOWN = 5  # bad records that are told at once; all of them are in the file
_SILENCE = 60.0  # seconds between lines of progress where standard error is no terminal


@dataclass(frozen=True, slots=True)
class State:
    """How far a run has come: shards, records read, documents and bad records among these, and the files' lengths in bytes.

    ``digest`` is of the records (see ``shards.Cutter``), ``size`` the last shard's, ``errors`` that of the file of bad records.
    """

    shards: int = 0
    records: int = 0
    documents: int = 0
    bad: int = 0
    digest: str = ""
    size: int = 0
    errors: int = 0
    finished: bool = False


def run(sources: Sources, output: Path, job: Job, reader: Reader, *, size: int = SIZE, strict: bool = False, quiet: bool = False) -> None:
    """Read all documents into a folder, or those that an earlier run of the same command left.

    Records that cannot be read are passed over, written into errors.jsonl and counted; the first stops the run if ``strict``. Raises
    UserError for that, for a folder that is in use or holds anything but a run with the same settings over the same input, for a full
    disk, and where no document could be read; the finished shards stay.
    """
    sources.check_apart(output, folder=True)
    with Folder(output, {"format": _FORMAT, "output": job.format, "shard": size, **_settings(job)}) as folder:
        cutter = _rest(sources, folder, size, strict)
        progress = _Progress(output, sources.size(), cutter.position, folder.state, quiet)
        try:
            with contextlib.closing(reader(cutter, job)) as shards:  # whatever happens, its workers end here
                for shard, data in shards:
                    if strict and shard.errors:
                        raise UserError(json.loads(shard.errors[0])["error"])
                    folder.add(shard, data)
                    progress.show(folder.state, shard)
        except KeyboardInterrupt:
            progress.say(f"{folder.state.documents:,} documents are finished; the same command goes on from there")
            raise
        finally:
            progress.close()
        folder.finish()
        progress.end(folder.state)
    if not folder.state.documents:
        raise UserError(f"{output}: none of {folder.state.records} records could be read; see {output / _ERRORS}")


def _rest(sources: Sources, folder: Folder, size: int, strict: bool) -> Cutter:
    """The input after what an earlier run has read of it. Raises UserError if it is not what that run read."""
    state, cutter = folder.state, Cutter(sources, size, strict)
    if cutter.skip(state.shards, state.records) != state.digest and state.shards:
        raise UserError(f"{folder.path}: the input is not what it was: its first {state.records:,} records differ; name another folder")
    if state.finished and next(iter(cutter), None):
        raise UserError(f"{folder.path}: a finished run over {state.records:,} records, and the input now has more; name another folder")
    return cutter


def _settings(job: Job) -> dict[str, Any]:
    """What the result depends on, and a resumed run must have the same."""
    return {"model": _fingerprint(job.model), "engine": job.engine, "device": job.device}


def _fingerprint(model: str) -> str:
    """Of a folder's files, or the commit of a model on the hub: a model has no other name that stays.

    What git keeps beside a clone is no part of it (see ``folder``). Raises UserError for a file that cannot be read.
    """
    folder = Path(model)
    if not folder.is_dir():
        from .hub import download  # noqa: PLC0415 - a second, where a model is not on this disk

        return f"{model}@{download(model, ['config.json']).name}"
    digest = hashlib.blake2b(digest_size=16)
    with access(folder, "read"):
        paths = sorted(p for p in folder.rglob("*") if ".git" not in p.relative_to(folder).parts and p.is_file() and p.suffix != ".pyc")
    for path in paths:
        digest.update(f"{path.relative_to(folder)}\n".encode(errors="replace"))
        with access(path, "read"), path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


class Folder:
    """The output of a long run, locked while it is open. Opening it takes away what an interrupted run left half done."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.state = State()
        self._suffix = str(settings["output"])
        self._fresh = False  # whether there is no shard
        self._manifest = _open_manifest(path)
        try:
            self._resume(settings)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        if self._fresh:  # nothing came of it: no trace is left either
            (self.path / _MANIFEST).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.path.rmdir()
        with contextlib.suppress(OSError):  # of a line that was told not to fit on the disk
            self._manifest.close()

    def _resume(self, settings: Mapping[str, Any]) -> None:
        self._manifest.seek(0)
        whole = 0
        for number, line in enumerate(self._manifest):
            if not line.endswith(b"\n"):
                if number == 0 and not _line(settings).startswith(line):
                    raise self._not_ours(number)
                break
            whole += len(line)
            if number == 0:
                header = self._parse(line, number, settings.keys())
                continue
            if number == 1:
                self._compare(header, settings)
            self.state = self._checked(State(**self._parse(line, number, asdict(self.state).keys())))
        self._fresh = not self.state.shards
        for left in (*self.path.glob(".part-*"), self._part(self.state.shards)):
            left.unlink(missing_ok=True)
        self._cut_errors()
        self._manifest.truncate(0 if self._fresh else whole)  # last: where no header stands, nothing else does (see _open_manifest)
        if self._fresh:
            self._append(settings)

    def _parse(self, line: bytes, number: int, fields: Collection[str]) -> dict[str, Any]:
        """A line's object. Raises UserError for anything else than one with these fields."""
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or set(record) != set(fields):
            raise self._not_ours(number)
        return record

    def _not_ours(self, number: int) -> UserError:
        return UserError(
            f"{self.path / _MANIFEST}, line {number + 1}: not what this command writes; name another folder, or empty this one"
        )

    def _compare(self, header: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        unlike = [f"{name} ({header.get(name)}, now {settings[name]})" for name in settings if header.get(name) != settings[name]]
        if unlike:
            raise UserError(f"{self.path}: holds a run with another {', another '.join(unlike)}; name another folder, or run it as before")

    def _cut_errors(self) -> None:
        """Take away bad records of a shard that was not finished."""
        path = self.path / _ERRORS
        size = path.stat().st_size if path.exists() else 0
        if size < self.state.errors:
            raise UserError(f"{path}: is not as the run left it; put it back, or empty the folder and start again")
        if size > self.state.errors:
            os.truncate(path, self.state.errors)
        if size and not self.state.errors:
            path.unlink()

    def _checked(self, state: State) -> State:
        """A line's state, once its shard is found to be there."""
        part = self._part(state.shards - 1)
        if state.documents > self.state.documents and (not part.is_file() or part.stat().st_size != state.size):
            raise UserError(f"{part}: is not as the run left it; put it back, or empty the folder and start again")
        return state

    def _part(self, number: int) -> Path:
        return self.path / f"part-{number:05}.{self._suffix}"

    def add(self, shard: Shard, data: bytes) -> None:
        """Write a shard and note it. Raises UserError if the disk is full."""
        if shard.articles:
            with write_whole_bytes(self._part(shard.number)) as file:
                file.write(data)
                _flush(file)
            _flush_folder(self.path)
        errors = self.state.errors
        if shard.errors:
            with room_for(self.path / _ERRORS), (self.path / _ERRORS).open("ab") as file:
                errors += file.write("".join(f"{line}\n" for line in shard.errors).encode())
                _flush(file)
        self.state = State(
            shards=shard.number + 1,
            records=shard.records,
            documents=self.state.documents + len(shard.articles),
            bad=self.state.bad + len(shard.errors),
            digest=shard.digest,
            size=len(data) if shard.articles else 0,
            errors=errors,
        )
        self._fresh = False
        self._note()

    def finish(self) -> None:
        """Note that there is no more input."""
        if not self.state.finished:
            self.state = replace(self.state, finished=True)
            self._note()

    def _note(self) -> None:
        self._append(asdict(self.state))

    def _append(self, record: Mapping[str, Any]) -> None:
        with room_for(self.path / _MANIFEST):
            self._manifest.write(_line(record))
            _flush(self._manifest)


def _line(record: Mapping[str, Any]) -> bytes:
    return to_json(record).encode() + b"\n"


def _open_manifest(path: Path) -> IO[bytes]:
    """A run's manifest, locked, made if there is none. Raises UserError for a folder that is in use, or has anything else in it."""
    with access(path, "written"):
        path.mkdir(parents=True, exist_ok=True)
        manifest = path / _MANIFEST
        if any(other != manifest for other in path.iterdir()) and not (manifest.exists() and manifest.stat().st_size):
            raise UserError(f"{path}: is not empty, and holds no run to go on with; name another folder")
        file = manifest.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink == 0:  # the other run ended without any shard just now
            raise BlockingIOError
    except OSError as error:
        file.close()
        why = "another run is writing here; wait for it" if isinstance(error, BlockingIOError) else f"cannot be locked: {error.strerror}"
        raise UserError(f"{path}: {why}, or name another folder") from None
    return file


def _flush(file: IO[bytes]) -> None:
    """Have all that was written on the disk, so that a loss of power, too, leaves the files in the order in which they were written."""
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Progress:
    """What a long run says on standard error: a bar at a terminal, a line a minute into a log, the first bad records, a summary."""

    def __init__(self, output: Path, size: int, position: int, state: State, quiet: bool) -> None:
        self._output, self._size, self._quiet = output, size, quiet
        self._first, self._first_position = state, position
        self._began = self._said = time.monotonic()
        self._bar = None
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm  # type: ignore[import-untyped] # noqa: PLC0415 - comes with transformers; imported when needed

            self._bar = tqdm(total=size, initial=position, unit="B", unit_scale=True, desc=str(output), leave=False)

    def show(self, state: State, shard: Shard) -> None:
        """Say how far a run has come with a shard."""
        shown = self._first.bad + _SHOWN + len(shard.errors) - state.bad
        for line in shard.errors[: max(0, shown)]:
            self.say(f"passed over: {json.loads(line)['error']}")
        if self._bar is not None:
            self._bar.set_postfix_str(f"{state.documents:,} documents, {self._rate(state):.1f}/s", refresh=False)
            self._bar.update(shard.position - self._bar.n)
        elif time.monotonic() - self._said >= _SILENCE:
            self._said = time.monotonic()
            share = shard.position / max(self._size, shard.position)
            done = max(1, shard.position - self._first_position)
            left = (self._said - self._began) * max(0, self._size - shard.position) / done
            self.say(f"{state.documents:,} documents, {self._rate(state):.1f}/s, {share:.0%}, {timedelta(seconds=round(left))} left")

    def _rate(self, state: State) -> float:
        """Documents a second, of this run alone."""
        return (state.documents - self._first.documents) / (time.monotonic() - self._began)

    def say(self, text: str) -> None:
        """A line on standard error, above the bar if there is one."""
        if self._quiet:
            return
        line = f"{self._output}: {text}"
        if self._bar is None:
            print(line, file=sys.stderr)
        else:
            self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def end(self, state: State) -> None:
        """Say what was done."""
        bad = f"; {state.bad:,} records could not be read, see {self._output / _ERRORS}" if state.bad else ""
        had = f", {self._first.documents:,} of them by an earlier run" if self._first.documents else ""
        self.say(f"{state.documents:,} documents in {state.shards:,} shards{had}{bad}; {self._rate(state):.1f} documents/s")

"""A folder is replaced as a whole or not at all; a pipe is written to as it is."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from models.errors import UserError
from models.files import shown, write_folder, write_whole_bytes


def anything(_):
    pass


def only_if_empty(folder):
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: is full")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def older(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "older").touch()
    return tmp_path / "m"


@pytest.mark.parametrize("place", ["m", "new", "deep/er/new"])
def test_the_new_folder_takes_the_place(older, place):
    folder = older.parent / place
    with write_folder(folder, anything) as new:
        (new / "newer").touch()
        assert not (folder / "newer").exists()
    assert names(folder) == ["newer"]
    assert not [name for name in names(folder.parent) if name.startswith(".")]


def test_an_exception_leaves_the_older_folder(older):
    with pytest.raises(FileNotFoundError), write_folder(older, anything) as new:
        (new / "sub" / "newer").touch()
    assert names(older) == ["older"]
    assert names(older.parent) == ["m"]


def test_a_failed_rename_brings_the_older_folder_back(older, monkeypatch):
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, to: rename(path, to) if path == older or path.name.endswith(".old") else 1 / 0)
    with pytest.raises(ZeroDivisionError), write_folder(older, anything):
        pass
    assert names(older) == ["older"]


def test_a_folder_that_a_kill_left_aside_is_put_back(older):
    aside = older.rename(older.parent / ".m.old")
    with pytest.raises(UserError, match="is full"), write_folder(older, only_if_empty):
        pass
    assert names(older) == ["older"]
    assert not aside.exists()


def test_what_must_not_be_replaced_is_not(older):
    with pytest.raises(UserError, match="is full"), write_folder(older, only_if_empty):
        pass
    assert names(older) == ["older"]


def test_a_place_in_no_folder_is_a_mistake(older):
    with pytest.raises(UserError, match="cannot be written: "), write_folder(older / "older" / "m", anything):
        pass


def test_a_pipe_that_has_no_path_but_a_link_is_written_to():
    reading, writing = os.pipe()
    with write_whole_bytes(f"/dev/fd/{writing}") as file:
        file.write(b"abc")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"abc"


@pytest.mark.parametrize(("path", "line"), [("خبر\u200cها.txt", "خبر\u200cها.txt"), ("a\nb", r"'a\nb'"), ("a\u202eb", r"'a\u202eb'")])
def test_a_path_is_shown_in_one_line_and_a_persian_one_as_it_is(path, line):
    assert shown(path) == shown(Path(path)) == line


@pytest.mark.parametrize("way", ["/dev/fd", "/proc/self/fd"])
def test_a_file_that_a_shell_has_opened_is_written_to_at_its_end(tmp_path, way):
    (tmp_path / "log").write_text("earlier\n")
    with (tmp_path / "log").open("ab") as log:
        with write_whole_bytes(f"{way}/{log.fileno()}") as file:
            file.write(b"ours\n")
        log.write(b"later\n")
    assert (tmp_path / "log").read_text() == "earlier\nours\nlater\n"
    assert names(tmp_path) == ["log"]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no such folder")
def test_a_file_in_memory_is_replaced_as_any_other():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for text in (b"older", b"newer"):
            with write_whole_bytes(f"{folder}/a") as file:
                file.write(text)
        assert Path(folder, "a").read_bytes() == b"newer"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_keeps_its_mode(tmp_path, mode):
    (tmp_path / "a").touch(mode)
    (tmp_path / "a").chmod(mode)
    with write_whole_bytes(tmp_path / "a") as file:
        file.write(b"newer")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    (tmp_path / "usual").touch()
    with write_whole_bytes(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode

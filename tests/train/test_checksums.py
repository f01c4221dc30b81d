"""SHA256SUMS is read by sha256sum itself, and no file can be changed, lost or added without its notice."""

import shutil
import subprocess

import pytest

from models.errors import UserError
from train import checksums
from train.publish import main


@pytest.fixture
def folder(tmp_path):
    """Two files, one of them linked to from a folder within, and their checksums."""
    folder = tmp_path / "model"
    (folder / "claim").mkdir(parents=True)
    (folder / "encoder").write_bytes(b"weights")
    (folder / "README.md").write_text("کارت", encoding="utf-8")
    (folder / "claim" / "encoder").symlink_to("../encoder")
    checksums.write(folder)
    return folder


def test_the_format_is_sha256sums_own(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert lines == sorted(lines, key=lambda line: line.split("  ")[1])
    theirs = subprocess.run(["sha256sum", "README.md", "claim/encoder", "encoder"], cwd=folder, capture_output=True, text=True, check=True)
    assert theirs.stdout.splitlines() == lines
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=True)


def test_a_copy_with_files_for_links_verifies_too(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert not (tmp_path / "copy" / "claim" / "encoder").is_symlink()
    assert checksums.verify(tmp_path / "copy") == checksums.verify(folder)


def test_writing_again_changes_nothing(folder):
    before = (folder / "SHA256SUMS").read_bytes()
    checksums.write(folder)
    assert (folder / "SHA256SUMS").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "encoder").write_bytes(b"other"), "claim/encoder: was changed, and 1 more"),
        (lambda f: (f / "README.md").unlink(), "README.md: is missing"),
        (lambda f: (f / "new.pkl").touch(), "new.pkl: is not among the SHA256SUMS"),
        (lambda f: (f / "SHA256SUMS").unlink(), "holds no SHA256SUMS"),
        (lambda f: (f / "SHA256SUMS").write_text("beef  encoder\n"), "SHA256SUMS, line 1: not a SHA-256"),
        (lambda f: (f / "out").symlink_to("/etc/hosts"), "out: leads out of the folder"),
        (lambda f: (f / "out").symlink_to("/etc"), "out: leads out of the folder"),
        (lambda f: (f / "nowhere").symlink_to("nothing"), "nowhere: leads out of the folder or to no file"),
        (shutil.rmtree, "no such folder"),
    ],
)
def test_what_is_not_as_it_was_is_one_line(folder, capsys, change, message):
    change(folder)
    with pytest.raises(UserError, match=r"publish the run again|check the path"):
        checksums.verify(folder)
    assert main(["--verify", str(folder)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_says_how_many_are_right(folder, capsys):
    assert main(["--verify", str(folder)]) == 0
    assert "3 files, all as SHA256SUMS has them" in capsys.readouterr().out

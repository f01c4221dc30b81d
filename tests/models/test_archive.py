"""A long run: what it writes is the same however often it was killed, and nothing is overwritten that is not its own."""

import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import models.shards as shards_module
from models import engines
from models.predict import main
from models.records import Prediction
from models.shards import Job

ROOT = Path(__file__).parents[2]
# the command with a stand-in for the model: a run takes no time, so that many can be killed. The n-th time that a file is to be on the
# disk, or is put in its place, the process kills itself instead
STAND_IN = """
import os, pathlib, signal, sys
import models.shards
from models.predict import main
from models.records import Prediction

class StandIn:
    def predict(self, articles):
        return (Prediction(article.id, article.text) for article in articles)

models.shards._predictor = lambda *_: StandIn()
left = int(sys.argv[1])

def mortal(function):
    def call(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return call

os.fsync, pathlib.Path.replace = mortal(os.fsync), mortal(pathlib.Path.replace)
sys.exit(main(sys.argv[2:]))
"""


class StandIn:
    def predict(self, articles):
        return (Prediction(article.id, article.text) for article in articles)


@pytest.fixture
def archive(tmp_path):
    """Three files in a folder: 47 documents, 4 bad records."""
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    for name, count in (("a.jsonl", 20), ("more/b.jsonl", 26)):
        lines = [json.dumps({"text": f"خبر {name} {i}."}) for i in range(count)]
        (folder / name).write_text("\n".join([*lines[:9], "{", *lines[9:], "[]"]))
    (folder / "more/c.txt").write_text("خبر آخر.", encoding="utf-8")
    return folder


@pytest.fixture
def run(tiny_folder, capsys, monkeypatch):
    """Run the command with a stand-in for the model, shards of 5; gives the exit code and standard error."""
    monkeypatch.setattr(shards_module, "_predictor", lambda *_: StandIn())

    def call(source, output, *argv):
        code = main(["--input", str(source), "--output", f"{output}/", "--model", str(tiny_folder), "--shard-size", "5", *argv])
        return code, capsys.readouterr().err

    return call


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def documents(folder):
    return [json.loads(line)["text"] for path in sorted(folder.glob("part-*.jsonl")) for line in path.open(encoding="utf-8")]


def test_documents_are_written_in_order_and_bad_records_are_told(run, archive, tmp_path):
    code, err = run(archive, tmp_path / "out")
    assert code == 0
    assert documents(tmp_path / "out") == [
        *(f"خبر a.jsonl {i}." for i in range(20)),
        *(f"خبر more/b.jsonl {i}." for i in range(26)),
        "خبر آخر.",
    ]
    bad = [json.loads(line) for line in (tmp_path / "out/errors.jsonl").open(encoding="utf-8")]
    assert [(Path(r["file"]).name, r["line"]) for r in bad] == [("a.jsonl", 10), ("a.jsonl", 22), ("b.jsonl", 10), ("b.jsonl", 28)]
    assert err.count("passed over: ") == 4
    assert f"47 documents in 11 shards; 4 records could not be read, see {tmp_path / 'out/errors.jsonl'};" in err


def test_quiet_says_nothing(run, archive, tmp_path):
    assert run(archive, tmp_path / "out", "--quiet") == (0, "")


def test_killed_at_any_step_and_resumed_the_output_is_that_of_an_uninterrupted_run(run, archive, tmp_path, tiny_folder):
    run(archive, tmp_path / "whole")
    argv = ["--input", archive, "--output", f"{tmp_path / 'out'}/", "--model", tiny_folder, "--shard-size", "5", "--quiet"]
    dice = random.Random(13)
    kills = 0
    while True:
        command = [sys.executable, "-c", STAND_IN, str(dice.randint(1, 12)), *map(str, argv)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
    assert kills >= 5
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_line_of_the_manifest_that_was_not_finished_does_not_count(run, archive, tmp_path):
    run(archive, tmp_path / "whole")
    run(archive, tmp_path / "out")
    manifest = tmp_path / "out/manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:4]) + lines[4][:-1])
    (tmp_path / "out/.part-00003.jsonl.x").write_text("half")
    code, err = run(archive, tmp_path / "out")
    assert code == 0
    assert "14 of them by an earlier run" in err
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_finished_run_is_not_repeated(run, archive, tmp_path, monkeypatch):
    run(archive, tmp_path / "out")
    before = contents(tmp_path / "out")
    monkeypatch.setattr(shards_module, "_predictor", lambda *_: pytest.fail("loaded"))
    code, err = run(archive, tmp_path / "out")
    assert (code, contents(tmp_path / "out")) == (0, before)
    assert "47 documents in 11 shards, 47 of them by an earlier run" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--engine", "onnx"], "another engine (torch, now onnx); name another folder, or run it as before"),
        (["--shard-size", "6"], "another shard (5, now 6)"),
        (["--format", "csv"], "another output (jsonl, now csv)"),
    ],
)
def test_a_run_with_other_settings_does_not_go_on(run, archive, tmp_path, argv, message):
    run(archive, tmp_path / "out")
    before = contents(tmp_path / "out")
    code, err = run(archive, tmp_path / "out", *argv)
    assert (code, contents(tmp_path / "out"), err.count("\n")) == (2, before, 1)
    assert message in err


def test_a_run_goes_on_with_what_auto_means_and_with_nothing_else(run, archive, tmp_path, monkeypatch):
    run(archive, tmp_path / "out")
    assert run(archive, tmp_path / "out", "--engine", "torch", "--device", "cpu")[0] == 0
    monkeypatch.setattr(engines, "_find_device", lambda _: "cuda")
    assert "holds a run with another device (cpu, now cuda)" in run(archive, tmp_path / "out")[1]


def test_a_released_model_is_the_same_by_its_bare_name(run, archive, tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setattr(engines, "PUBLISHED", tiny_folder.parent / "compact")
    run(archive, tmp_path / "out")
    assert run(archive, tmp_path / "out", "--model", tiny_folder.name)[0] == 0


def test_a_run_with_another_model_does_not_go_on(run, archive, tmp_path, model_folder):
    run(archive, tmp_path / "out")
    (model_folder / "config.json").write_text("{}")
    code, err = run(archive, tmp_path / "out", "--model", str(model_folder))
    assert code == 2
    assert "holds a run with another model (" in err


def test_what_git_keeps_beside_a_model_is_no_part_of_it(run, archive, tmp_path, model_folder):
    run(archive, tmp_path / "out")
    (model_folder / ".git/objects").mkdir(parents=True)
    (model_folder / ".git/objects/pack").write_bytes(b"packed")
    assert run(archive, tmp_path / "out", "--model", str(model_folder))[0] == 0


@pytest.mark.parametrize("method", ["open", "is_file"])
def test_a_model_file_that_may_not_be_read_is_told_in_one_line(run, archive, tmp_path, tiny_folder, monkeypatch, method):
    true = getattr(Path, method)

    def forbidden(path, *arguments, **options):
        if path == tiny_folder / "config.json":
            raise PermissionError(13, "Permission denied")
        return true(path, *arguments, **options)

    monkeypatch.setattr(Path, method, forbidden)
    code, err = run(archive, tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert f"error: {tiny_folder}" in err
    assert "cannot be read: Permission denied; check the path" in err


def test_input_that_changed_is_noticed(run, archive, tmp_path):
    run(archive, tmp_path / "out")
    file = archive / "more/c.txt"
    file.write_text("دیگر.", encoding="utf-8")
    assert "the input is not what it was: its first 51 records differ" in run(archive, tmp_path / "out")[1]
    file.write_text("خبر آخر.", encoding="utf-8")
    (archive / "more/d.txt").write_text("دیگر.", encoding="utf-8")
    code, err = run(archive, tmp_path / "out")
    assert code == 2
    assert "a finished run over 51 records, and the input now has more" in err


def test_a_shard_that_is_gone_is_noticed(run, archive, tmp_path):
    run(archive, tmp_path / "out")
    (tmp_path / "out/part-00002.jsonl").unlink()
    code, err = run(archive, tmp_path / "out")
    assert code == 2
    assert f"{tmp_path / 'out/part-00002.jsonl'}: is not as the run left it" in err


def test_strict_stops_at_the_first_bad_record_and_keeps_what_is_finished(run, archive, tmp_path):
    code, err = run(archive, tmp_path / "out", "--strict")
    assert (code, err.splitlines()[-1]) == (
        2,
        f"error: {archive / 'a.jsonl'}, line 10: not valid JSON (Expecting property name enclosed in double quotes, column 2); "
        "one object a line",
    )
    assert len(documents(tmp_path / "out")) == 5
    run(archive, tmp_path / "out")
    run(archive, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_folder_of_something_else_is_left_alone(run, archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("x")
    assert run(archive, tmp_path / "out") == (
        2,
        f"error: {tmp_path / 'out'}: is not empty, and holds no run to go on with; name another folder\n",
    )
    for manifest in ('{"name": "other"}\n', "x\n", "[]\n{}\n"):
        (tmp_path / "out/manifest.jsonl").write_text(manifest)
        assert "manifest.jsonl, line 1: not what this command writes" in run(archive, tmp_path / "out")[1]
        assert (tmp_path / "out/manifest.jsonl").read_text() == manifest


@pytest.mark.parametrize("manifest", ['{"name": "other"}', "x", ""])
def test_an_unfinished_first_line_is_this_commands_only_if_it_begins_as_one(run, archive, tmp_path, manifest):
    run(archive, tmp_path / "out")
    header = (tmp_path / "out/manifest.jsonl").read_text().partition("\n")[0]
    mine = dict.fromkeys(("part-00000.jsonl", ".part-mine", "errors.jsonl"), b"mine")
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name, data in mine.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.jsonl").write_text(manifest)
    code, err = run(archive, folder)
    assert (code, err.count("\n"), contents(folder)) == (2, 1, mine | {"manifest.jsonl": manifest.encode()})
    assert str(folder) in err
    for name in mine:
        (folder / name).unlink()
    (folder / "manifest.jsonl").write_text(header[:20])  # the power failed while it was written
    assert run(archive, folder)[0] == 0
    assert contents(folder) == contents(tmp_path / "out")


def test_two_runs_do_not_write_into_one_folder(run, archive, tmp_path):
    run(archive, tmp_path / "out")
    with (tmp_path / "out/manifest.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, err = run(archive, tmp_path / "out")
    assert (code, err) == (2, f"error: {tmp_path / 'out'}: another run is writing here; wait for it, or name another folder\n")


def test_an_output_inside_the_input_is_refused(run, archive):
    code, err = run(archive, archive / "out")
    assert (code, (archive / "out").exists()) == (2, False)
    assert "lies in the input" in err


def test_input_without_one_good_record(run, tmp_path):
    (tmp_path / "n.jsonl").write_text("{\n[")
    code, err = run(tmp_path / "n.jsonl", tmp_path / "out")
    assert code == 2
    assert "none of 2 records could be read; see" in err


def test_a_page_is_not_cut(run, archive, tmp_path):
    assert "--format html cannot be cut; use jsonl, csv, parquet" in run(archive, tmp_path / "out", "--format", "html")[1]


def test_a_model_that_cannot_be_loaded_leaves_no_trace(archive, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["--input", str(archive), "--output", f"{tmp_path / 'out'}/", "--model", str(tmp_path / "empty")]) == 2
    assert "no config.json in it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_full_disk_keeps_what_is_finished(run, archive, tmp_path):
    """A limit on the size of a file stands in for a full disk: the manifest comes to it first."""
    run(archive, tmp_path / "whole")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, before[1]))
    try:
        code, err = run(archive, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    assert err.splitlines()[-1].endswith("cannot be written: File too large; make room and run the command again")
    assert run(archive, tmp_path / "out")[0] == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_ctrl_c_keeps_what_is_finished(run, archive, tmp_path, monkeypatch):
    class Interrupted(StandIn):
        def predict(self, articles):
            if any("11" in article.text for article in articles):
                raise KeyboardInterrupt
            return super().predict(articles)

    monkeypatch.setattr(shards_module, "_predictor", lambda *_: Interrupted())
    code, err = run(archive, tmp_path / "out")
    assert code == 130
    assert "9 documents are finished; the same command goes on from there" in err
    assert len(documents(tmp_path / "out")) == 9


# --- with a model ---


@pytest.fixture
def real(tiny_folder, archive, tmp_path):
    """Run the command as a process with the tiny model."""

    def start(name, *argv, source=archive, **kwargs):
        command = [sys.executable, "-m", "models.predict", "--input", source, "--output", f"{tmp_path / name}/", "--model", tiny_folder]
        command += ["--device", "cpu", "--shard-size", "5", *argv]
        return subprocess.Popen([*map(str, command)], cwd=ROOT, stderr=subprocess.PIPE, text=True, **kwargs)

    return start


def until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in two minutes")


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_workers_write_what_one_process_writes_and_no_death_among_them_hangs(real, tmp_path, archive, tiny_folder):
    argv = ["--input", archive, "--output", f"{tmp_path / 'one'}/", "--model", tiny_folder, "--device", "cpu", "--shard-size", "5"]
    assert main([*map(str, argv)]) == 0
    killed = real("two", "--workers", "2")
    until(lambda: (tmp_path / "two/part-00000.jsonl").exists() or len(children(killed)) >= 3)
    os.kill(children(killed)[-1], signal.SIGKILL)
    _, err = killed.communicate(timeout=300)
    assert killed.returncode == 2, err
    assert "error: a worker was ended from outside, perhaps for its memory" in err
    done = real("two", "--workers", "2")
    _, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_workers_share_the_processors_that_the_command_is_bound_to(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert list(shards_module.read_in_processes([], Job("", "cpu", "onnx", "jsonl"), 2)) == []
    assert os.environ == {"OMP_NUM_THREADS": "3"}


def test_ctrl_c_ends_the_workers_and_they_end_when_the_command_was_killed(real, tmp_path):
    long = tmp_path / "long.jsonl"  # so that the run is not over before the signal comes
    long.write_text("".join(json.dumps({"text": f"خبر {i} امروز گفت."}) + "\n" for i in range(50_000)), encoding="utf-8")
    for name, number, code in (("a", signal.SIGINT, 130), ("b", signal.SIGKILL, -9)):
        process = real(name, "--workers", "2", source=long, start_new_session=True)
        until(lambda process=process: len(children(process)) >= 3)
        workers = children(process)
        os.killpg(process.pid, number) if number == signal.SIGINT else process.kill()
        process.communicate(timeout=120)
        assert process.returncode == code
        until(lambda workers=workers: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_parquet_shards_hold_what_json_lines_hold(tmp_path, archive, tiny_folder):
    for name in ("jsonl", "parquet"):
        argv = ["--input", archive, "--output", f"{tmp_path / name}/", "--model", tiny_folder, "--format", name, "--shard-size", "30"]
        assert main([*map(str, argv), "--device", "cpu"]) == 0
    lines = [json.loads(line) for path in sorted((tmp_path / "jsonl").glob("part-*")) for line in path.open(encoding="utf-8")]
    rows = [row for path in sorted((tmp_path / "parquet").glob("part-*")) for row in pq.read_table(path).to_pylist()]
    for row in rows:
        for sentence in row["sentences"]:
            sentence["claim"]["scores"] = dict(sentence["claim"]["scores"])
            for span in sentence["spans"]:
                if span["value"] is None:
                    del span["value"], span["unit"]
    assert rows == lines

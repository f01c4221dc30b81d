"""A run on Ray writes, to the byte, what a run without it writes."""

import json

import pytest

from models.predict import main

pytest.importorskip("ray", reason="the extra ray is not installed")

import ray

from models import cluster


@pytest.fixture
def argv(tiny_folder, tmp_path):
    lines = [json.dumps({"text": f"وحید قبادی دانا گفت: {i} مرکز افتتاح شد."}) for i in range(40)]
    (tmp_path / "n.jsonl").write_text("\n".join([*lines, "{"]))
    return ["--input", str(tmp_path / "n.jsonl"), "--model", str(tiny_folder), "--device", "cpu", "--shard-size", "6"]


def test_two_actors_write_what_one_process_writes(argv, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's own would have the test wait for whatever else the machine does
    monkeypatch.setenv("PYTHONPATH", "")  # put back afterwards: a Ray that is started here is told where the package is
    assert main([*argv, "--output", f"{tmp_path / 'plain'}/"]) == 0
    assert main([*argv, "--output", f"{tmp_path / 'ray'}/", "--ray", "--workers", "2", "--worker-cpus", "0.5"]) == 0
    plain, ray = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("plain", "ray"))
    assert len(plain) == 9
    assert ray == plain


def test_a_ray_that_is_started_here_has_a_whole_number_of_processors(monkeypatch):
    asked = []
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(ray, "init", lambda **options: asked.append(options["num_cpus"]))
    for workers, cpus in ((1, 0.5), (3, 0.5), (2, 2.0)):
        cluster._connect("local", workers, cpus)
    assert [repr(number) for number in asked] == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no answer ("),
        ("ray://127.0.0.1:1", "no answer ("),
        ("127.0.0..1:1", "no answer ("),
        ("here", "no address; name HOST:PORT"),
        (":7", "no address"),
    ],
)
def test_no_ray_at_an_address(argv, tmp_path, capsys, address, message):
    assert main([*argv, "--output", f"{tmp_path / 'out'}/", "--ray", address]) == 2
    assert f"error: --ray {address}: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

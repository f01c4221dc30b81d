"""The benchmark of joint training: a mistake is one line, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import joint

ROOT = Path(__file__).parents[2]


def test_a_configuration_that_is_not_there(capsys):
    assert joint.main(["--config", "typo.yaml"]) == 2
    assert capsys.readouterr().err == "error: typo.yaml: no such file; check the path\n"


def test_a_configuration_without_gold(tmp_path, capsys):
    config = tmp_path / "run.yaml"
    config.write_text(f"encoder: {{source: none}}\nannotate: {{articles: [a], output: {ROOT / 'seeds/gold.jsonl'}}}\n")
    assert joint.main(["--config", str(config)]) == 2
    assert capsys.readouterr().err == f"error: {config}: no gold to measure on; name a file, such as gold=[seeds/gold.jsonl]\n"


def test_a_configuration_whose_labels_have_no_claims(capsys, monkeypatch):
    monkeypatch.setattr(joint, "read_labelled", lambda _: pytest.fail("it went on"))
    assert joint.main(["--config", str(ROOT / "configs/peyma.yaml")]) == 2
    assert "'data.train' has no claims to train jointly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "told"), [(["--seeds", "0"], "argument --seeds: '0'"), (["--output", "/proc/nope/j.json"], "/proc/nope")]
)
def test_an_option_that_cannot_be(option, told, capsys, monkeypatch):
    monkeypatch.setattr(joint, "read_labelled", lambda _: pytest.fail("it went on"))
    assert joint.main(["--config", str(ROOT / "configs/tiny.yaml"), *option]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {told}")
    assert error.count("\n") == 1

"""The benchmark of joint training: a mistake is one line, before anything is trained."""

from __future__ import annotations

from pathlib import Path

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

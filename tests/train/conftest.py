"""A place to run whole commands in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ONE_STEP = [
    "encoder.source=encoder",
    "encoder.trim=false",
    "predict.overlap=16",
    "predict.window=64",
    "train.max_steps=1",
    "train.evaluations=1",
]


@pytest.fixture
def workplace(tmp_path, monkeypatch, tiny_encoder, tiny_tokenizer):
    """A folder with the seeds, the configurations and a tiny encoder, where runs/ is written."""
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    tiny_encoder.save_pretrained(tmp_path / "encoder")
    tiny_tokenizer.save_pretrained(tmp_path / "encoder")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tiny_run(workplace):
    """Arguments of a run of one step."""
    return ["--config", "configs/tiny.yaml", *ONE_STEP]

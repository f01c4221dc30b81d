"""What ``make train`` and ``make annotate`` would do, in a folder where the Makefile stands beside a configuration and a finished run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ON_HAND_LABELS = "data:\n  train: [corpus/train.txt]\n  held_out: [corpus/dev.txt]\n  test: [corpus/test.txt]\n"
ON_ANOTHER_RUNS = "annotate:\n  articles: [seeds]\n  output: runs/other/weak.jsonl\n"
OF_ITS_OWN = "annotate:\n  articles: [seeds]\n  output: runs/own/weak.jsonl\n"
FINISHED = ("runs/own/report.json", "runs/own/published/config.json")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


@pytest.fixture
def checkout(tmp_path):
    """Gives a function that writes the configuration and, older than the finished run, all that a run reads."""
    shutil.copy(ROOT / "Makefile", tmp_path)

    def written(config: str) -> Path:
        read = [
            "pyproject.toml",
            "constraints.txt",
            ".venv/.installed",
            "corpus/train.txt",
            "corpus/dev.txt",
            "corpus/test.txt",
            "seeds/gold.jsonl",
            "runs/other/weak.jsonl",
        ]
        read += ["models/text.py", "train/fit.py", "annotate/functions/base.py", "annotate/lexicons/surnames.txt", "own.yaml"]
        for time, name in [*((1, name) for name in read), *((2, name) for name in FINISHED)]:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(config if name == "own.yaml" else "", encoding="utf-8")
            os.utime(tmp_path / name, (time, time))
        return tmp_path

    return written


def would_do(folder, target):
    done = subprocess.run(["make", "-n", target, "CONFIG=own.yaml"], cwd=folder, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("config", "edited"),
    [
        (ON_HAND_LABELS, "own.yaml"),
        (ON_ANOTHER_RUNS, "own.yaml"),
        (ON_HAND_LABELS, "corpus/train.txt"),
        (ON_HAND_LABELS, "corpus/dev.txt"),
        (ON_HAND_LABELS, "corpus/test.txt"),
        (ON_ANOTHER_RUNS + "gold: [seeds/gold.jsonl]\n", "seeds/gold.jsonl"),
        (ON_ANOTHER_RUNS, "models/text.py"),
        (ON_ANOTHER_RUNS, "annotate/lexicons/surnames.txt"),
    ],
)
def test_what_a_run_on_others_labels_reads_trains_it_anew(checkout, config, edited):
    folder = checkout(config)
    assert "-m train" not in would_do(folder, "train")
    os.utime(folder / edited, (3, 3))
    assert "-m train" in would_do(folder, "train")


def test_a_run_that_states_its_own_output_is_labelled(checkout):
    assert "-m annotate" in would_do(checkout(OF_ITS_OWN), "annotate")

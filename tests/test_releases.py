"""A folder that an earlier release published reads today as it did then, with today's code and, where it is trusted, with its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gozareh

DATA = Path(__file__).parent / "data"
KEPT = sorted(path for path in DATA.iterdir() if path.is_dir())
TRUSTED = """
import json, sys
from transformers import pipeline
sys.modules.update(dict.fromkeys(("gozareh", "models")))
folder, texts = sys.argv[1], json.load(sys.stdin)
print(json.dumps(pipeline("gozareh", folder, trust_remote_code=True, device="cpu")(texts)))
"""


def expected(folder):
    return json.loads(folder.with_suffix(".json").read_text(encoding="utf-8"))


def same(ours, theirs):
    """Equal but for noise in the scores."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in theirs:
            same(ours[name], theirs[name])
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    else:
        assert ours == (pytest.approx(theirs, abs=2e-4) if isinstance(theirs, float) else theirs)


@pytest.mark.parametrize("folder", KEPT, ids=lambda path: path.name)
def test_a_kept_folder_reads_as_it_did(folder):
    then = expected(folder)
    assert any(sentence["spans"] for record in then for sentence in record["sentences"])
    now = [prediction.to_dict() for prediction in gozareh.load(folder, device="cpu").predict(record["text"] for record in then)]
    same(now, then)


@pytest.mark.parametrize("folder", KEPT, ids=lambda path: path.name)
def test_a_kept_folder_s_own_code_still_runs(folder, tmp_path):
    then = expected(folder)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    texts = json.dumps([record["text"] for record in then])
    command = [sys.executable, "-I", "-X", "utf8", "-c", TRUSTED, str(folder)]
    done = subprocess.run(command, input=texts, cwd=tmp_path, env=env, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    same(json.loads(done.stdout.splitlines()[-1]), [record | {"id": ""} for record in then])


def test_a_folder_of_a_newer_format_says_so(tmp_path):
    folder = shutil.copytree(KEPT[-1], tmp_path / "newer", symlinks=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["gozareh"]["format"] += 1000
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(gozareh.UserError, match=r"newer release.*update gozareh"):
        gozareh.load(folder, device="cpu")

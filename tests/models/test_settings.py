from __future__ import annotations

from pathlib import Path

import pytest

from models import settings
from models.errors import UserError

VALID = "name: x\nencoder: {source: folder}\nannotate: {articles: [a], output: o}\n"


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=str)
def test_every_configuration_of_the_project_loads(path):
    assert settings.load(path).name == path.stem


def test_defaults_and_overrides(config):
    run = settings.load(config(VALID), ["train.epochs=3", "train.learning_rate=1e-4", "annotate.articles=[b, c]", "seed=5"])
    assert (run.train.epochs, run.train.learning_rate, run.annotate.articles, run.seed) == (3.0, 1e-4, ("b", "c"), 5)
    assert run.predict.window == 256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VALID + "train: {epoch: 3}\n", r"run.yaml, line 4, field 'train.epoch': unknown key; did you mean 'epochs'\?"),
        (VALID + "train:\n  epochs: many\n", "line 5, field 'train.epochs': expected float, found 'many'"),
        (VALID + "seed: true\n", "line 4, field 'seed': expected int, found True"),
        (VALID + "seed: 1\nseed: 2\n", "line 5, field 'seed': given twice"),
        (VALID + "train: 3\n", "line 4, field 'train': expected a mapping"),
        (VALID + "gold: seeds\n", "line 4, field 'gold': expected a list"),
        ("name: x\nencoder: {source: f}\n", "missing key 'annotate'"),
        ("name: x\nencoder: {}\n", "missing key 'encoder.source'"),
        ("name: [x\n", "line 2: not valid YAML"),
        ("- name\n", "expected a mapping of settings"),
        ("", "expected a mapping of settings"),
    ],
)
def test_mistakes_name_file_line_and_key(config, text, message):
    with pytest.raises(UserError, match=message):
        settings.load(config(text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "did you mean 'epochs'"),
        ("train=3", "name one setting of a section"),
        ("name.x=3", "name one setting of a section"),
        ("epochs", "expected key=value"),
        ("train.epochs=[", "not valid YAML"),
        ("train.epochs=many", "expected float"),
    ],
)
def test_mistaken_overrides(config, override, message):
    with pytest.raises(UserError, match=message):
        settings.load(config(VALID), [override])


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        settings.load(tmp_path / "none.yaml")

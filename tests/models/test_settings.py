from __future__ import annotations

from pathlib import Path

import pytest

from models import settings
from models.errors import UserError

VALID = "seed: 1\nencoder: {source: folder}\nannotate: {articles: [a]}\n"


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("path", sorted(set(Path("configs").glob("*.yaml")) - {Path("configs/corpora.yaml")}), ids=str)
def test_every_configuration_of_the_project_loads(path):
    assert settings.load(path).name == path.stem


def test_defaults_and_overrides(config):
    run = settings.load(config(VALID), ["train.epochs=3", "train.learning_rate=1e-4", "annotate.articles=[b, c]", "seed=5"])
    assert (run.train.epochs, run.train.learning_rate, run.annotate.articles, run.seed) == (3.0, 1e-4, ("b", "c"), 5)
    assert run.predict.window == 256
    assert (run.name, run.annotate.output) == ("run", str(Path("runs/run/weak.jsonl")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VALID + "train: {epoch: 3}\n", r"run.yaml, line 4, field 'train.epoch': unknown key; did you mean 'epochs'\?"),
        (VALID + "train:\n  epochs: many\n", "line 5, field 'train.epochs': expected float, found 'many'"),
        ("seed: true\n", "line 1, field 'seed': expected int, found True"),
        (VALID + "seed: 2\n", "line 4, field 'seed': given twice"),
        (VALID + "train: 3\n", "line 4, field 'train': expected a mapping"),
        (VALID + "gold: seeds\n", "line 4, field 'gold': expected a list"),
        ("encoder: {source: f}\n", "name either articles to label, 'annotate.articles', or labelled files, 'data.train'"),
        (VALID + "data: {train: [a], held_out: [b]}\n", "name either articles"),
        ("encoder: {source: f}\ndata: {train: [a], held_out: [b]}\ntrain: {written: [c]}\n", "'train.written' goes with articles"),
        ("encoder: {source: f}\ndata: {train: [a], held_out: [b]}\nself_training: {rounds: 1}\n", "'self_training.rounds' goes with"),
        ("encoder: {source: f}\ndata: {train: [a]}\n", "line 2, section 'data': 'train' and 'held_out' go together"),
        ("encoder: {}\n", "missing key 'encoder.source'"),
        ("name: [x\n", "line 2: not valid YAML"),
        ("seed: !foo 1\n", "line 1, field 'seed': not a value"),
        ("seed: 2020-13-45\n", "line 1, field 'seed': not a value"),
        ("seed: \x01\n", "line 1: not valid YAML"),
        (VALID + "name: other\n", "field 'name': 'other' is not the file's name"),
        (VALID + "train:\n  evaluations: 0\n", "line 5, section 'train': 'evaluations' is 0, not within 1"),
        (VALID + "train:\n  epochs: .inf\n", "line 5, section 'train': 'epochs' is inf; give a finite number"),
        pytest.param(VALID + f"train:\n  epochs: {10**400}\n", "line 5, section 'train': 'epochs' is inf; give a finite number", id="huge"),
        (VALID + "train:\n  epochs: .nan\n", "line 5, section 'train': 'epochs' is nan, not within 0"),
        (VALID + "predict: {window: 32, overlap: 30}\n", "line 4, section 'predict': 'overlap' is 30, not within 0 and 28"),
        (VALID + "augment: {lost_zwnj: 2}\n", "'lost_zwnj' is 2.0, not within 0 and 1"),
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
        ("seed.x=3", "name one setting of a section"),
        ("name=x", "a run is named by its file"),
        ("train.batch_size=0", "'batch_size' is 0, not within 1"),
        ("seed=2020-13-45", "not valid YAML"),
        ("epochs", "expected key=value"),
        ("train.epochs=[", "not valid YAML"),
        ("train.epochs=many", "expected float"),
    ],
)
def test_mistaken_overrides(config, override, message):
    with pytest.raises(UserError, match=message):
        settings.load(config(VALID), [override])


@pytest.mark.parametrize(
    "overrides",
    [
        ["predict.window=64", "predict.overlap=16"],
        ["review.network=X", "review.epochs=2"],
        ["annotate.articles=[]", "data.train=[a]", "data.held_out=[b]"],
    ],
)
def test_overrides_are_taken_together(config, overrides):
    assert settings.load(config(VALID), overrides) == settings.load(config(VALID), overrides[::-1])


def test_of_many_overrides_the_mistaken_one_is_named(config):
    with pytest.raises(UserError, match=r"^command line, 'train\.epochs=many': expected float"):
        settings.load(config(VALID), ["predict.window=64", "train.epochs=many"])
    with pytest.raises(UserError, match=r"^command line, 'seed=2 predict\.window=64': 'overlap' is 64, not within 0 and 60"):
        settings.load(config(VALID), ["seed=2", "predict.window=64"])


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        settings.load(tmp_path / "none.yaml")


def test_after_the_highest_seed_comes_the_lowest(config):
    run = settings.load(config(VALID), [f"seed={2**32 - 1}"])
    assert [run.reseeded(number).seed for number in range(3)] == [2**32 - 1, 0, 1]


def test_a_students_vocabulary_is_not_trimmed(config):
    with pytest.raises(UserError, match=r"'distil\.layers' keeps the teacher's vocabulary; leave out 'encoder\.trim'"):
        settings.load(config(VALID), ["distil.layers=1", "encoder.trim=true"])


@pytest.mark.parametrize("stage", ["review.epochs=1", "self_training.rounds=1"])
def test_a_student_goes_through_no_other_stage(config, stage):
    with pytest.raises(UserError, match=r"'distil\.layers' is a run by itself; leave out 'review\.epochs' and 'self_training\.rounds'"):
        settings.load(config(VALID), ["distil.layers=1", "encoder.trim=false", stage])


def test_a_student_that_drops_nothing_out_is_not_read_twice(config):
    with pytest.raises(
        UserError, match=r"'distil\.layers' drops nothing out, so that readings never differ; leave out 'train\.consistency'"
    ):
        settings.load(config(VALID), ["distil.layers=1", "encoder.trim=false", "train.consistency=1"])

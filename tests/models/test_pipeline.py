"""``transformers.pipeline("gozareh")``: the same answers as the Predictor, for every kind of input transformers takes."""

import ast
import shutil
from pathlib import Path

import datasets
import pytest
from transformers import pipeline
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.pipelines.pt_utils import KeyDataset

from models import pipeline as module
from models.predictor import load

TEXTS = ["وحید قبادی دانا گفت: ۴۰۰ مرکز افتتاح شد. بودجه ۲.۵ میلیون تومان است.", "بله.", "", "خبر " * 60, "نرخ رشد 50% بود."]


@pytest.fixture(scope="module")
def pipe(tiny_folder):
    module.register()
    return pipeline("gozareh", str(tiny_folder), device="cpu")


@pytest.fixture(scope="module")
def expected(tiny_folder):
    return [prediction.to_dict()["sentences"] for prediction in load(tiny_folder, device="cpu").predict(TEXTS)]


def agrees(record, sentences):
    assert [s["spans"] and [(x["label"], x["start"], x["end"], x["text"]) for x in s["spans"]] for s in record["sentences"]] == [
        s["spans"] and [(x["label"], x["start"], x["end"], x["text"]) for x in s["spans"]] for s in sentences
    ]
    for ours, theirs in zip(record["sentences"], sentences, strict=True):
        assert ours["claim"]["scores"] == pytest.approx(theirs["claim"]["scores"], abs=2e-4)


def test_a_string_gives_one_dictionary(pipe, expected):
    record = pipe(TEXTS[0])
    assert record["text"] == TEXTS[0]
    assert record.keys() == {"id", "text", "sentences"}
    agrees(record, expected[0])


@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize(
    "given",
    [
        lambda: list(TEXTS),
        lambda: tuple(TEXTS),
        lambda: (text for text in TEXTS),
        lambda: KeyDataset(datasets.Dataset.from_dict({"text": TEXTS}), "text"),
        lambda: datasets.Dataset.from_dict({"text": TEXTS})["text"],
        lambda: datasets.Dataset.from_dict({"text": TEXTS}),
    ],
    ids=["list", "tuple", "generator", "KeyDataset", "column", "dataset"],
)
def test_every_kind_of_many_gives_as_many_in_order(pipe, expected, given, batch_size):
    records = list(pipe(given(), batch_size=batch_size))
    assert [record["text"] for record in records] == TEXTS
    for record, sentences in zip(records, expected, strict=True):
        agrees(record, sentences)


def test_a_dictionary_keeps_its_id(pipe):
    assert pipe({"id": "n-1", "text": "بله."})["id"] == "n-1"


def test_nothing_gives_nothing(pipe):
    assert pipe([]) == []


def test_what_is_no_document_is_a_type_error(pipe):
    with pytest.raises(TypeError, match="neither a text nor an Article"):
        pipe([3])


def test_registering_again_changes_nothing(caplog):
    module.register()
    module.register()
    assert not caplog.records


def test_saved_and_loaded_it_reads_the_same(pipe, expected, tmp_path):
    pipe.save_pretrained(tmp_path / "again")
    agrees(pipeline("gozareh", str(tmp_path / "again"), device="cpu")(TEXTS[0]), expected[0])


def test_transformers_finds_every_file_that_the_code_needs(tmp_path):
    """It follows relative imports by a regular expression: what that misses is not copied, and a published folder fails to load."""
    needed, queue = set(), ["pipeline"]
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            tree = ast.parse((Path(module.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
            queue += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    for name in needed:
        shutil.copy(Path(module.__file__).parent / f"{name}.py", tmp_path)
    found = {Path(path).stem for path in get_relative_import_files(tmp_path / "pipeline.py")}
    assert found == needed - {"pipeline"}

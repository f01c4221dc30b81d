"""Every door opens on what ``predict`` reads; a folder at fault fails the table; the wrong doors name the right ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    pipeline,
)

import gozareh
from models.labels import Schema
from models.modeling import GozarehModel

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

import doors
from doors import DOORS, Cell, report, table


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return doors.publish_tiny(tmp_path_factory.mktemp("doors") / "tiny")


@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_what_predict_gives(published, tmp_path, door):
    cells = table(published, [], tmp_path, [door])
    assert {cell.dtype for cell in cells if cell.device == "cpu"} == set(DOORS[door][1])
    assert [cell.reason for cell in cells if cell.state == doors.FAIL] == []


def test_the_texts_have_what_the_doors_must_take(published):
    reference = doors.Reference(published, doors.TEXTS)
    assert {span["label"] for d in reference.documents for s in d["sentences"] for span in s["spans"]} == {
        "PERSON",
        "ROLE",
        "NUMBER",
        "PROGRAM",
    }
    assert [i for i in range(len(doors.TEXTS)) if i not in reference.fits] == [7]
    assert min(reference.margins[:7]) > 0.5
    assert all(reference.token_margins[i] > 0.5 for i in reference.fits)


def test_a_folder_at_fault_fails_the_table(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "fault", symlinks=True)
    path = folder / "claim" / "tokenizer.json"
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    pieces = vocabulary["model"]["vocab"]
    pieces["شد"], pieces["هستند"] = pieces["هستند"], pieces["شد"]
    cells = table(published, [], tmp_path / "sound", ["claims"])
    path.write_text(json.dumps(vocabulary), encoding="utf-8")
    reference = doors.Reference(published, doors.TEXTS)
    job = {"folder": str(folder), "texts": doors.TEXTS, "fits": reference.fits, "cache": str(tmp_path), "cells": [["cpu", "float32"]]}
    (answers,) = doors.open_door(doors.Path(doors.sys.executable), "claims", job, tmp_path / "run")
    assert doors.FAIL not in {cell.state for cell in cells}
    assert "claim scores move by" in reference.reason("claims", "float32", answers)


def test_a_process_that_dies_fails_its_cells(tmp_path):
    (answers,) = doors.open_door(
        doors.Path(doors.sys.executable), "no such door", {"cache": "", "cells": [["cpu", "float32"]]}, tmp_path / "r"
    )
    assert "KeyError" in answers["error"]


def test_the_report_counts_and_says_why():
    text = report(
        [
            Cell("spans", "cpu", "float32", "5.0", doors.PASS),
            Cell("spans", "cpu", "float32", "5.10", doors.FAIL, "list: 3 answers for 4 texts"),
            Cell("spans", "cuda", "float32", "5.0", doors.NO_GPU),
            Cell("spans", "cuda", "float32", "5.10", doors.NO_GPU),
        ]
    )
    head, row, untried, why, count = text.splitlines()
    assert head.split()[-2:] == ["5.0", "5.10"]
    assert row.split()[-2:] == ["pass", "FAIL"]
    assert untried.split()[-4:] == ["no", "GPU", "no", "GPU"]
    assert why.endswith("transformers 5.10: list: 3 answers for 4 texts")
    assert count == "1 of 2 cells pass; 2 not tried, no GPU here"


# --- the wrong doors ---


def test_text_classification_on_the_span_head_is_refused(published):
    with pytest.raises(
        gozareh.UserError, match=r'its claim head is in its claim/; call pipeline\("text-classification", FOLDER \+ "/claim"\)'
    ):
        pipeline("text-classification", str(published), device="cpu")


@pytest.mark.parametrize("options", [{"subfolder": "claim"}, {"trust_remote_code": True}])
def test_nor_do_other_arguments_open_it(published, options):
    with pytest.raises(Exception, match="call pipeline") as error:
        pipeline("text-classification", str(published), device="cpu", **options)
    assert type(error.value).__name__ == "UserError"


def test_nor_does_the_auto_class_with_trust(published):
    with pytest.raises(Exception, match="call pipeline"):
        AutoModelForSequenceClassification.from_pretrained(published, trust_remote_code=True)


@pytest.mark.parametrize("task", ["token-classification", "ner"])
@pytest.mark.parametrize(("part", "options"), [("/claim", {}), ("", {"model_kwargs": {"subfolder": "claim"}})])
def test_token_classification_on_the_claim_head_is_refused(published, task, part, options):
    with pytest.raises(gozareh.UserError, match=r"tiny.*: holds the claim head.*call pipeline\(\"token-classification\", FOLDER, "):
        pipeline(task, str(published) + part, device="cpu", **options)


def test_where_nothing_of_ours_is_imported_it_opens_and_means_nothing(published, tmp_path):
    """What the card warns of: stock classes alone put the claim head over every token, without a word."""
    code = """
import json, sys
from transformers import pipeline
print(json.dumps([token["entity"] for token in pipeline("ner", sys.argv[1], device="cpu")("۴۰۰ مرکز")]))
"""
    command = [sys.executable, "-I", "-X", "utf8", "-c", code, str(published / "claim")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True)
    assert set(json.loads(done.stdout.splitlines()[-1])) <= set(Schema().claims)
    assert 'pipeline("token-classification", DIR + "/claim")' in (published / "README.md").read_text(encoding="utf-8")


def test_tokens_of_others_are_classified_as_ever(published, tmp_path):
    BertForTokenClassification(BertConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        tmp_path
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(published)
    pipe = pipeline("token-classification", str(tmp_path), tokenizer=tokenizer, device="cpu")
    assert isinstance(pipe, transformers.TokenClassificationPipeline)
    assert pipe("بله.")[0]["entity"].startswith("LABEL_")


def test_models_of_others_are_classified_as_ever(published, tmp_path):
    BertForSequenceClassification(BertConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        tmp_path
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(published)
    pipe = pipeline("text-classification", str(tmp_path), tokenizer=tokenizer, device="cpu")
    assert isinstance(pipe, transformers.TextClassificationPipeline)
    assert pipe("بله.")[0]["label"].startswith("LABEL_")


def test_the_one_pass_pipeline_on_the_claim_head_alone_is_refused(published):
    with pytest.raises(gozareh.UserError, match=r"claim: holds the claim head alone, .*; name the folder it is in, "):
        pipeline("gozareh", str(published / "claim"), device="cpu")


def test_the_one_pass_pipeline_on_a_folder_without_a_head_is_refused(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "headless", symlinks=True)
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"] = {name: file for name, file in index["weight_map"].items() if file != "span_head.safetensors"}
    path.write_text(json.dumps(index))
    with pytest.raises(gozareh.UserError, match=r"its weights lack 2 tensors, such as classifier\.bias"):
        pipeline("gozareh", str(folder), device="cpu")


@pytest.mark.parametrize("option", [{"aggregation_strategy": "simple"}, {"top_k": None}, {"stride": 4}])
def test_the_stock_pipelines_arguments_are_refused(published, option):
    (name,) = option
    message = rf'takes batch_size and sentence_batch_size, not {name}.*pipeline\("token-classification".*pipeline\("text-classification"'
    with pytest.raises(TypeError, match=message):
        pipeline("gozareh", str(published), device="cpu", **option)
    pipe = pipeline("gozareh", str(published), device="cpu")
    with pytest.raises(TypeError, match=message):
        pipe("بله.", **option)


@pytest.mark.parametrize(
    ("part", "message"), [("claim", "name the folder it is in, .*tiny$"), ("onnx", "name the folder that a model was")]
)
def test_load_names_the_folder_that_it_wants(published, part, message):
    with pytest.raises(gozareh.UserError, match=message):
        gozareh.load(published / part, device="cpu")


def test_the_network_of_others_is_no_model_of_ours(tmp_path):
    BertForSequenceClassification(BertConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        tmp_path
    )
    with pytest.raises(gozareh.UserError, match="its labels are no span tags; name the published folder"):
        GozarehModel.from_pretrained(tmp_path)
    with pytest.raises(gozareh.UserError, match="no entry 'gozareh', so not a model of this kind"):
        gozareh.load(tmp_path, device="cpu")

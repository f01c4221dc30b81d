"""The card reads back with its metadata, opens with the right calls, and says nothing that the run does not know."""

import ast
import re

import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from models.errors import UserError
from models.labels import Schema
from models.text import words
from train.card import card

SCORE = {"precision": 0.5, "recall": 0.25, "f1": 0.3333}
REPORT = {
    "name": "tiny",
    "base_model": "intfloat/multilingual-e5-small",
    "licence": "cc-by-sa-4.0",
    "settings": {
        "articles": ("seeds/articles",),
        "annotate": {"label_model": "majority", "gold": None},
        "data": {"train": [], "columns": {"token": None}},
        "predict": {"window": 48, "overlap": 12, "claim_threshold": 0.5},
    },
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    "data": {"corpora": [{"name": "articles of the test", "licence": "Apache-2.0", "sentences": 3}]},
    "commit": "0123abc",
    "device": "cpu",
    "minutes": 1.5,
    "functions": [{"function": "title_before_name", "label": "PERSON", "coverage": 0.25}],
    "metrics": {
        "seeds": {
            "sentences": 12,
            "spans": {"PERSON": SCORE, "micro": SCORE},
            "claims": {"accuracy": 0.75, "macro_f1": 0.7, "ece": 0.05, "count": 9},
            "interval": {"spans": [0.25, 0.5], "claims": [0.6, 0.8]},
        }
    },
    "cross_validation": {
        "mean": {"micro F1": 0.625, "claim macro-F1": 0.5},
        "spread": {"micro F1": 0.125, "claim macro-F1": 0.0},
        "seeds": [{}, {}, {}],
    },
}
REPORT |= {"temperature": 1.25, "python": "3.13.1"}
OPTIONAL = ("licence", "commit", "device", "minutes", "functions", "metrics", "cross_validation", "temperature", "python")


def without(*names):
    return {name: value for name, value in REPORT.items() if name not in names}


def metadata(report):
    return ModelCard(card(report, Schema(), 64)).data


def test_the_metadata_reads_back():
    data = metadata(REPORT)
    assert (data.language, data.license, data.base_model) == ("fa", "cc-by-sa-4.0", "intfloat/multilingual-e5-small")
    assert (data.library_name, data.pipeline_tag, data.model_name) == ("transformers", "token-classification", "tiny")


def test_the_figures_read_back_as_model_index():
    assert {(r.dataset_name, r.task_type, r.metric_type, r.metric_value) for r in metadata(REPORT).eval_results} == {
        ("seeds", "token-classification", "precision", 0.5),
        ("seeds", "token-classification", "recall", 0.25),
        ("seeds", "token-classification", "f1", 0.3333),
        ("seeds", "text-classification", "accuracy", 0.75),
        ("seeds", "text-classification", "f1", 0.7),
        ("leave one article out", "token-classification", "f1", 0.625),
        ("leave one article out", "text-classification", "f1", 0.5),
    }


def test_intervals_stand_beside_their_figures_and_read_back():
    found = {(r.dataset_name, r.task_type): r.metric_args for r in metadata(REPORT).eval_results if r.metric_type == "f1"}
    assert found == {
        ("seeds", "token-classification"): {"confidence_level": 0.95, "low": 0.25, "high": 0.5},
        ("seeds", "text-classification"): {"confidence_level": 0.95, "low": 0.6, "high": 0.8},
        ("leave one article out", "token-classification"): None,
        ("leave one article out", "text-classification"): None,
    }
    assert "F1 of all spans 0.250 to 0.500, macro F1 of claims 0.600 to 0.800." in card(REPORT, Schema(), 64)


def test_the_metadata_is_as_the_library_itself_writes_it():
    """All of the hub's check that needs no hub: the library parses the card, and writes the same metadata from what it has parsed."""
    text = card(REPORT, Schema(), 64)
    parsed = ModelCard(text)
    assert str(parsed) == text
    name, results = model_index_to_eval_results(yaml.safe_load(parsed.data.to_yaml())["model-index"])
    assert (name, results) == ("tiny", parsed.data.eval_results)


def test_calibration_is_told_where_claims_are_read():
    text = card(REPORT, Schema(), 64)
    assert "divided by 1.25" in text
    assert "0.050 on seeds." in text
    assert "## Calibration" not in card(without("metrics", "temperature"), Schema(), 64)
    assert "## Calibration" not in card(REPORT, Schema(claims=()), 64)


def test_a_commit_that_is_not_known_is_not_named():
    assert "unknown" not in card(REPORT | {"commit": "unknown"}, Schema(), 64).lower()


def test_the_committed_template_serves_a_report_of_any_age():
    bare = {"sentences": 12, "spans": {"micro": SCORE}}
    text = card(without(*OPTIONAL) | {"metrics": {"seeds": bare}, "data": {}}, Schema(), 64)
    assert "**seeds**, 12 sentences" in text
    assert "interval" not in text


@pytest.mark.parametrize("name", ["runs/encoder of mine", "tests/train", "offline:multilingual-e5-small"])
def test_an_encoder_that_is_not_on_the_hub_is_named_in_the_text_alone(name):
    assert metadata(REPORT | {"base_model": name}).base_model is None
    assert f"Encoder: {name}" in card(REPORT | {"base_model": name}, Schema(), 64)


def test_an_encoder_from_elsewhere_has_the_hub_name_of_the_settings():
    settings = REPORT["settings"] | {"encoder": {"source": "intfloat/multilingual-e5-small"}}
    assert metadata(REPORT | {"base_model": "PyPI: e5 in four bits", "settings": settings}).base_model == "intfloat/multilingual-e5-small"


def test_a_distilled_model_names_its_teacher_and_what_that_was_made_of():
    settings = REPORT["settings"] | {"encoder": {"source": "runs/whole/published"}, "distil": {"layers": 6}}
    report = REPORT | {"base_model": "folder runs/whole/published", "origin": "intfloat/multilingual-e5-small", "settings": settings}
    assert metadata(report).base_model == "intfloat/multilingual-e5-small"
    text = card(report, Schema(), 64)
    assert "folder runs/whole/published, made of intfloat/multilingual-e5-small." in text
    assert "is the teacher: 6 of its layers" in text


@pytest.mark.parametrize("absent", [(), *((name,) for name in OPTIONAL), OPTIONAL])
@pytest.mark.parametrize("claims", [Schema().claims, ()])
def test_no_field_is_unfilled(absent, claims):
    text = card(without(*absent), Schema(claims=claims), 64, graph=bool(claims))
    assert not [mark for mark in ("{", "}", "None", ": null", "TODO", "Undefined", "!!python", "\n\n\n") if mark in text]


@pytest.mark.parametrize(
    ("name", "words"),
    [("functions", "title_before_name"), ("metrics", "**seeds**"), ("cross_validation", "Leave one article out"), ("commit", "Commit")],
)
def test_what_is_not_known_has_no_section(name, words):
    assert words in card(REPORT, Schema(), 64)
    assert words not in card(without(name), Schema(), 64)


def test_every_table_stands_alone_and_has_rows_of_one_width():
    lines = card(REPORT, Schema(), 64).partition("# tiny")[2].split("\n")
    tables = "\n".join(line if line.startswith("|") else "" for line in lines).split("\n\n")
    widths = [{line.count("|") for line in table.strip().split("\n")} for table in tables if table.strip()]
    assert len(widths) == 6
    assert all(len(width) == 1 for width in widths)
    assert all(lines[i - 1] == "" for i, line in enumerate(lines) if line.startswith("|") and not lines[i - 1].startswith("|"))


def test_it_opens_with_the_right_calls_and_the_wrong_doors():
    opening = card(REPORT, Schema(), 64).partition("# tiny")[2].partition("## Labels")[0]
    assert "Four ways" in opening
    for call in (
        "gozareh.load(DIR)",
        'pipeline("gozareh", DIR, trust_remote_code=True)',
        'pipeline("token-classification", DIR, aggregation_strategy="simple", stride=12)',
        'pipeline("text-classification", DIR + "/claim")',
        '`pipeline("text-classification", DIR)`, without `/claim`',
    ):
        assert call in opening


def test_the_graph_is_called_where_there_is_one():
    call = "tokenizer.enable_truncation(48, stride=12)"
    assert call in card(REPORT, Schema(), 64, graph=True)
    assert call not in card(REPORT, Schema(), 64)


@pytest.mark.parametrize("claims", [Schema().claims, ()])
def test_its_lines_of_code_are_python_and_know_our_words(claims):
    text = card(REPORT, Schema(claims=claims), 64, graph=True)
    blocks = [ast.parse(block) for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
    (pattern,) = (node.value for node in ast.walk(blocks[-1]) if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WORD")
    sample = "می‌شود، «۲۰٪» از ۴۰۰بسته؛ ۲٫۵ مُعلّم\u200c."
    assert [word.span() for word in re.finditer(ast.literal_eval(pattern), sample)] == words(sample)


def test_every_label_has_a_meaning_and_a_persian_example():
    text = card(REPORT, Schema(), 64)
    for label in (*Schema().span_types, *Schema().claims):
        (row,) = (line for line in text.split("\n") if line.startswith(f"| {label} |") and "«" in line)
        assert row.count("|") == 4


def test_labels_of_another_corpus_are_named():
    assert "| DAT | as in its corpus |" in card(REPORT, Schema(("DAT",), ()), 64)


@pytest.mark.parametrize("field", ["name", "base_model", "settings", "versions", "data"])
def test_a_report_without_a_field_names_it(field):
    with pytest.raises(UserError, match=f"no field '{field}'"):
        card(without(field), Schema(), 64)

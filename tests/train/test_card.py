"""The card reads back with its metadata, opens with the right calls, and says nothing that the run does not know."""

import pytest
from huggingface_hub import ModelCard

from models.errors import UserError
from models.labels import Schema
from train.card import card

SCORE = {"precision": 0.5, "recall": 0.25, "f1": 0.3333}
REPORT = {
    "name": "tiny",
    "base_model": "intfloat/multilingual-e5-small",
    "licence": "cc-by-sa-4.0",
    "settings": {
        "articles": ("seeds/articles",),
        "annotate": {"label_model": "majority", "gold": None},
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
        }
    },
    "cross_validation": {
        "mean": {"micro F1": 0.625, "claim macro-F1": 0.5},
        "spread": {"micro F1": 0.125, "claim macro-F1": 0.0},
        "seeds": [{}, {}, {}],
    },
}
OPTIONAL = ("licence", "commit", "device", "minutes", "functions", "metrics", "cross_validation")


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


@pytest.mark.parametrize("name", ["runs/encoder of mine", "tests/train", "offline:multilingual-e5-small"])
def test_an_encoder_that_is_not_on_the_hub_is_named_in_the_text_alone(name):
    assert metadata(REPORT | {"base_model": name}).base_model is None
    assert f"Encoder: {name}" in card(REPORT | {"base_model": name}, Schema(), 64)


def test_an_encoder_from_elsewhere_has_the_hub_name_of_the_settings():
    settings = REPORT["settings"] | {"encoder": {"source": "intfloat/multilingual-e5-small"}}
    assert metadata(REPORT | {"base_model": "PyPI: e5 in four bits", "settings": settings}).base_model == "intfloat/multilingual-e5-small"


@pytest.mark.parametrize("absent", [(), *((name,) for name in OPTIONAL), OPTIONAL])
@pytest.mark.parametrize("claims", [Schema().claims, ()])
def test_no_field_is_unfilled(absent, claims):
    text = card(without(*absent), Schema(claims=claims), 64)
    assert not [mark for mark in ("{", "}", "None", "TODO", "Undefined", "!!python", "\n\n\n") if mark in text]


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
    for call in (
        'pipeline("gozareh", DIR, trust_remote_code=True)',
        'pipeline("token-classification", DIR, aggregation_strategy="simple", stride=12)',
        'pipeline("text-classification", DIR + "/claim")',
        '`pipeline("text-classification", DIR)`, without `/claim`',
    ):
        assert call in opening


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

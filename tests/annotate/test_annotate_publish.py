"""The published labels open in datasets as they were written: features, every offset, splits that share no article, licences kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import ClassLabel, DatasetDict, List, Value, load_dataset
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from annotate import publish as publishing
from annotate.__main__ import main
from annotate.publish import FEATURES, NO_LABEL, Splits, card, publish, row, split
from models.errors import UserError
from models.labels import Schema
from models.records import Example, Span, write_examples

TEXT = "علی رضایی، مدیرکل بهزیستی، گفت: ۲۶ هزار سالمند تحت پوشش هستند."
NUMBER = Span("NUMBER", 32, 39, "۲۶ هزار", 0.75)
SCORES = {"STATISTIC": 0.75, "POLICY": 0.25}


def weak(article: str, licence: str | None = "CC-BY-SA-4.0 (its keepers)", **fields: object) -> Example:
    values = {"spans": (NUMBER,), "claim": "STATISTIC", "claim_scores": SCORES, "unsure": ((11, 17),), "source": "agency"} | fields
    return Example(f"{article}-001", TEXT, article=article, licence=licence, **values)  # type: ignore[arg-type]


WEAK = [weak(f"a{i}") for i in range(12)]
GOLD = [Example("g-001", TEXT, (Span("PERSON", 0, 9, "علی رضایی"), NUMBER), "NONE", article="g", licence="MIT")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published data set of three splits."""
    path = tmp_path_factory.mktemp("data") / "labels"
    publish(split(WEAK, GOLD), path, name="toy", label_model="majority")
    return path


@pytest.fixture(scope="module")
def data(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> DatasetDict:
    """The same, as a user opens it."""
    return load_dataset(str(folder), cache_dir=str(tmp_path_factory.mktemp("cache")))


def test_the_features_are_typed(data: DatasetDict) -> None:
    assert all(part.features == FEATURES for part in data.values())
    assert data["train"].features["tags"] == List(ClassLabel(names=list(Schema().tags)))
    assert data["train"].features["claim"] == ClassLabel(names=["ANNOUNCEMENT", "STATISTIC", "POLICY", "NONE"])
    assert data["train"].features["offsets"] == List({"start": Value("int32"), "end": Value("int32")})


def test_every_offset_is_exact(data: DatasetDict) -> None:
    for record in (record for part in data.values() for record in part):
        text = record["text"]
        assert text == TEXT
        assert [text[at["start"] : at["end"]] for at in record["offsets"]] == record["words"]
        assert text[record["spans"][-1]["start"] : record["spans"][-1]["end"]] == "۲۶ هزار"


def test_labels_come_back(data: DatasetDict) -> None:
    (record,) = data["test"]
    names, claims = data["test"].features["tags"].feature, data["test"].features["claim"]
    tagged = {word: names.int2str(tag) for word, tag in zip(record["words"], record["tags"], strict=True) if tag}
    assert tagged == {"علی": "B-PERSON", "رضایی": "I-PERSON", "۲۶": "B-NUMBER", "هزار": "I-NUMBER"}
    assert claims.int2str(record["claim"]) == "NONE"
    assert record["claim_scores"] is None
    first = data["train"][0]
    assert first["claim_scores"] == {"ANNOUNCEMENT": 0.0} | SCORES
    assert [word for word, tag in zip(first["words"], first["tags"], strict=True) if tag == NO_LABEL] == ["مدیرکل"]
    assert (first["source"], first["licence"], first["weight"]) == ("agency", "CC-BY-SA-4.0 (its keepers)", 1.0)


def test_what_has_no_label_has_none() -> None:
    bare = row(weak("a", spans=None, claim=None, claim_scores=None))
    assert set(bare["tags"]) == {NO_LABEL}
    assert (bare["claim"], bare["claim_scores"], bare["spans"]) == (NO_LABEL, None, [])


@given(st.text(max_size=40), st.data())
def test_there_is_a_tag_a_word_whatever_the_text(text: str, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(text)))
    end = draw.draw(st.integers(start, len(text)))
    spans = (Span("ROLE", start, end, text[start:end]),) if start < end else ()
    record = row(Example("a-1", text, spans, None))
    assert [text[at["start"] : at["end"]] for at in record["offsets"]] == record["words"]
    assert len(record["tags"]) == len(record["words"])
    touched = [start < at["end"] and at["start"] < end and bool(spans) for at in record["offsets"]]
    assert [tag != 0 for tag in record["tags"]] == touched


def test_no_article_is_in_two_splits_and_the_order_of_the_file_does_not_matter() -> None:
    both = [*WEAK, weak("g"), weak("a3")]
    splits, shuffled = split(both, GOLD).examples, split(both[::-1], GOLD).examples
    articles = {name: {example.article for example in examples} for name, examples in splits.items()}
    assert articles == {name: {example.article for example in examples} for name, examples in shuffled.items()}
    assert {name: len(chosen) for name, chosen in articles.items()} == {"train": 10, "validation": 2, "test": 1}
    assert sum(map(len, articles.values())) == len(set().union(*articles.values()))
    assert [example.id for example in splits["test"]] == ["g-001"]


def test_text_without_a_stated_licence_is_left_out_and_counted() -> None:
    mixed = [*WEAK, weak("silent", None), weak("stated", "none stated")]
    assert split(mixed, []).unlicensed == 2
    assert {e.article for part in split(mixed, []).examples.values() for e in part} == {e.article for e in WEAK}
    everything = split(mixed, [], unlicensed=True)
    assert everything.unlicensed == 0
    assert {e.article for part in everything.examples.values() for e in part} >= {"silent", "stated"}


def test_gold_has_the_licence_of_its_article() -> None:
    gold = [Example("a1-001", TEXT, (), None, article="a1"), Example("else-001", TEXT, (), None, article="else")]
    splits = split(WEAK, gold)
    (kept,) = splits.examples["test"]
    assert (kept.article, kept.licence, kept.source) == ("a1", WEAK[1].licence, "agency")
    assert splits.unlicensed == 1


def test_nothing_to_train_on_says_why() -> None:
    with pytest.raises(UserError, match="0 have gold, 3 state no licence; name more articles, or add --publish-unlicensed"):
        split([weak(f"a{i}", None) for i in range(3)], [])
    with pytest.raises(UserError, match=r"1 have gold, 0 state no licence; name more articles$"):
        split([weak("g", "MIT")], GOLD)


def test_the_card_reads_back(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    parsed = DatasetCard(text)
    assert str(parsed) == text
    assert (parsed.data.language, parsed.data.license, parsed.data.size_categories) == ("fa", ["cc-by-sa-4.0", "mit"], "n<1K")
    files = {entry["split"]: entry["path"] for entry in parsed.data.configs[0]["data_files"]}
    assert files == {name: f"data/{name}.parquet" for name in ("train", "validation", "test")}
    assert all((folder / path).is_file() for path in files.values())
    assert "| train | 10 | 10 | 10 | 10 |" in text
    assert "| agency | CC-BY-SA-4.0 (its keepers) | 12 |" in text


@pytest.mark.parametrize("examples", [{"train": WEAK}, {"train": [weak("a", None), weak("b", "GPL", claim_scores=None)], "test": GOLD}])
@pytest.mark.parametrize("unlicensed", [0, 1, 5])
def test_no_field_of_the_card_is_unfilled(examples: dict[str, list[Example]], unlicensed: int) -> None:
    text = card(Splits(examples, unlicensed), name="toy", label_model="majority")
    assert not [mark for mark in ("{", "}", "None", "unknown", "Undefined", ": null", "\n\n\n") if mark in text]
    lines = text.split("\n")
    assert all(lines[i - 1] == "" for i, line in enumerate(lines) if line.startswith("|") and not lines[i - 1].startswith("|"))
    assert ("no licence" in text) == bool(unlicensed)


def test_publishing_again_replaces_it_and_a_failure_does_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    publish(split(WEAK, GOLD), folder, name="toy", label_model="majority")
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == before

    def fail(*_: object) -> None:
        raise RuntimeError("no more room")

    monkeypatch.setattr(publishing, "check", fail)
    with pytest.raises(RuntimeError, match="no more room"):
        publish(split(WEAK[:5], []), folder, name="toy", label_model="majority")
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == before
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    with pytest.raises(UserError, match="other than a published data set"):
        publish(split(WEAK, GOLD), tmp_path, name="toy", label_model="majority")
    assert (tmp_path / "letters.txt").exists()


@pytest.mark.parametrize(
    ("card", "name"),
    [
        (None, "data/train.parquet"),
        ("---\npretty_name: letters\n---\nNot weakly labelled Persian news.\n", "data/train.parquet"),
        ("---\npretty_name: 'toy: weakly labelled Persian news'\n---\n", "data/notes.txt"),
    ],
)
def test_a_data_set_of_the_users_own_is_not_replaced(tmp_path: Path, card: str | None, name: str) -> None:
    """The layout is that of any data set on the hub."""
    (tmp_path / "data").mkdir()
    (tmp_path / name).write_bytes(b"theirs")
    if card is not None:
        (tmp_path / "README.md").write_text(card, encoding="utf-8")
    with pytest.raises(UserError, match="other than a published data set"):
        publish(split(WEAK, GOLD), tmp_path, name="toy", label_model="majority")
    assert (tmp_path / name).read_bytes() == b"theirs"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A run with three licensed articles, one of which has gold, and one article that states no licence."""
    licences = ["MIT", "MIT", "MIT", "none stated"]
    records = [{"id": f"n{i}", "text": TEXT, "licence": licence, "source": "agency"} for i, licence in enumerate(licences)]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    write_examples(tmp_path / "gold.jsonl", [Example("n0-001", TEXT, (NUMBER,), "STATISTIC", article="n0")])
    path = tmp_path / "run.yaml"
    paths = {"articles": [str(tmp_path / "news.jsonl")], "output": str(tmp_path / "weak.jsonl"), "gold": str(tmp_path / "gold.jsonl")}
    path.write_text(json.dumps({"encoder": {"source": "none"}, "annotate": paths}), encoding="utf-8")
    return path


def test_the_command_publishes_what_it_has_labelled(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config), "--publish", str(tmp_path / "out")]) == 0
    assert "sentences: train 1, validation 1, test 1; 1 articles without a stated licence left out" in capsys.readouterr().err
    script = (
        "import json, sys, datasets; data = datasets.load_dataset(sys.argv[1]); "
        "print(json.dumps({split: list(rows['article']) for split, rows in data.items()}))"
    )
    env = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], env=env, capture_output=True, text=True, check=True)
    read = json.loads(done.stdout)
    assert read["test"] == ["n0"]
    assert sorted(read["train"] + read["validation"]) == ["n1", "n2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--publish-unlicensed"], "goes with --publish FOLDER"),
        (["--publish", "TMP"], "other than a published data set"),
        (["annotate.licences=[none]", "--publish", "TMP/out"], "name more articles, or add --publish-unlicensed"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["--config", str(config), *(argument.replace("TMP", str(tmp_path)) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]

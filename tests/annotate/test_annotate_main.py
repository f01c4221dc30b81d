"""The annotate command from file to weak labels and report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotate.__main__ import main
from models.records import Example, Span, read_examples, write_examples

TEXT = "به گزارش روابط عمومی، علی رضایی، مدیرکل بهزیستی استان یزد، گفت: ۲۶ هزار سالمند در این استان تحت پوشش هستند.\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A run with one article, in a folder of its own."""
    (tmp_path / "yazd.txt").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "run.yaml"
    path.write_text(
        f"encoder: {{source: none}}\nannotate:\n  articles: [{tmp_path / 'yazd.txt'}]\n  output: {tmp_path / 'weak.jsonl'}\n",
        encoding="utf-8",
    )
    return path


def test_weak_labels_and_report_are_written(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config)]) == 0
    (weak,) = read_examples(config.with_name("weak.jsonl"))
    assert (weak.article, weak.claim) == ("yazd", "STATISTIC")
    assert ("NUMBER", "۲۶ هزار") in {(span.label, span.text) for span in weak.spans or ()}
    report = json.loads(config.with_name("annotation.json").read_text(encoding="utf-8"))
    assert report["sentences"] == 1
    assert "gold" not in report
    assert "coverage" in capsys.readouterr().out


def test_gold_of_read_and_of_unread_articles_is_scored(config: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    other = "۴۰ مهدکودک در این شهر وجود دارد."
    at = TEXT.index("۲۶ هزار")
    write_examples(
        gold,
        [
            Example("yazd-001", TEXT.strip(), (Span("NUMBER", at, at + 7, "۲۶ هزار"),), "STATISTIC", article="yazd"),
            Example("elsewhere-001", other, (Span("NUMBER", 0, 2, "۴۰"),), "STATISTIC", article="elsewhere"),
            Example("yazd-002", "نظر شما", (), "NONE", article="yazd"),
        ],
    )
    assert main(["--config", str(config), "--gold", str(gold), "--output", str(tmp_path / "out" / "weak.jsonl")]) == 0
    scores = json.loads((tmp_path / "out" / "annotation.json").read_text(encoding="utf-8"))["gold"]
    assert (scores["sentences"], scores["missing"]) == (3, 1)
    assert scores["claims"]["accuracy"] == 1.0
    assert scores["spans_strict"]["NUMBER"]["correct"] == 2
    assert {example.article for example in read_examples(tmp_path / "out" / "weak.jsonl")} == {"yazd"}


def test_articles_can_be_named_limited_excluded_and_chosen_by_licence(config: Path, tmp_path: Path) -> None:
    records = [{"id": f"n{i}", "text": TEXT, "licence": "MIT" if i % 2 else "none stated"} for i in range(8)]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    with config.open("a", encoding="utf-8") as out:
        out.write("  licences: [MIT]\n  exclude: [n1]\n  limit: 2\n")
    assert main(["--config", str(config), "--articles", str(tmp_path / "news.jsonl")]) == 0
    assert {example.article for example in read_examples(config.with_name("weak.jsonl"))} == {"n3", "n5"}


def test_articles_named_one_by_one_are_all_labelled(config: Path, tmp_path: Path) -> None:
    (tmp_path / "qom.txt").write_text(TEXT, encoding="utf-8")
    assert main(["--config", str(config), "--articles", str(tmp_path / "yazd.txt"), "--articles", str(tmp_path / "qom.txt")]) == 0
    assert [example.article for example in read_examples(config.with_name("weak.jsonl"))] == ["yazd", "qom"]


def test_articles_on_the_topic_are_all_taken_and_others_within_the_limit(config: Path, tmp_path: Path) -> None:
    texts = ["مدیر‌كل بهزیستي", "مديركل بهزيستى", "هوا", "باران", "برف"]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps({"id": f"n{i}", "text": text}) + "\n" for i, text in enumerate(texts)), "utf-8")
    overrides = ["annotate.topic=[مدیر کل]", "annotate.limit=1"]
    assert main(["--config", str(config), *overrides, "--articles", str(tmp_path / "news.jsonl")]) == 0
    assert [example.article for example in read_examples(config.with_name("weak.jsonl"))] == ["n0", "n1", "n2"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("  licences: [none]\n  exclude: []\n  label_model: minority\n", "minority"),
        ("  labelmodel: majority\n", "labelmodel"),
        ("  gold: missing.jsonl\n", "missing.jsonl"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(config: Path, capsys: pytest.CaptureFixture[str], extra: str, message: str) -> None:
    with config.open("a", encoding="utf-8") as out:
        out.write(extra)
    assert main(["--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert not config.with_name("weak.jsonl").exists()


def test_a_run_on_others_labels_is_told_to_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "configs/peyma.yaml"]) == 2
    assert capsys.readouterr().err.endswith("labelled already: run `python -m train --config FILE`\n")


def test_the_labels_of_another_run_are_not_replaced(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--config", "run.yaml", "annotate.output=runs/other/weak.jsonl"]) == 2
    expected = "runs/other/weak.jsonl belongs to another run; label it by other.yaml, or give --output"
    assert capsys.readouterr().err == f"error: annotate.output: {expected}\n"
    for arguments in (
        ["annotate.output=runs/run/hmm.jsonl"],
        ["annotate.output=runs/other/weak.jsonl", "--output", "runs/other/new.jsonl"],
    ):
        assert main(["--config", "run.yaml", *arguments]) == 0
    assert {path.name for path in (tmp_path / "runs").rglob("*.jsonl")} == {"hmm.jsonl", "new.jsonl"}


def test_articles_without_a_story_are_a_mistake(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "yazd.txt").write_text("کد خبر: ۲۱۵۰۸۳\n", encoding="utf-8")
    assert main(["--config", str(config)]) == 2
    assert capsys.readouterr().err == "error: annotate.articles: no sentence to label, page furniture alone; name others\n"
    assert not config.with_name("weak.jsonl").exists()


def test_labels_in_the_reports_place_are_refused(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["--output", str(tmp_path / "annotation.json")], [f"annotate.output={tmp_path / 'annotation.json'}"]):
        assert main(["--config", str(config), *line]) == 2
        expected = f"error: {tmp_path / 'annotation.json'}: is where the report goes; name another file for the labels\n"
        assert capsys.readouterr().err == expected
    assert not (tmp_path / "annotation.json").exists()


def test_what_is_read_is_not_written_over(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, reviews, news = tmp_path / "gold.jsonl", tmp_path / "reviews.jsonl", tmp_path / "news" / "a.jsonl"
    write_examples(gold, [Example("yazd-001", TEXT.strip(), (), "STATISTIC")])
    reviews.write_text('{"sentence": "0", "claim": "POLICY"}\n', encoding="utf-8")
    news.parent.mkdir()
    news.write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in (gold, reviews, news)}
    arguments = ["--config", str(config), "--gold", str(gold), f"annotate.reviews=[{reviews}]", "--articles", str(news.parent)]
    for path in before:
        assert main([*arguments, "--output", str(path)]) == 2
        assert capsys.readouterr().err == f"error: {path}: is the input {path} itself; name another file\n"
    assert {path: path.read_bytes() for path in before} == before
    assert main([*arguments, "--output", str(news.with_name("weak.jsonl"))]) == 2
    assert "weak.jsonl: lies among the articles and would be read as one; name a place outside\n" in capsys.readouterr().err
    assert [path.name for path in news.parent.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_a_folder_for_the_labels_is_refused_before_any_work(config: Path, capsys: pytest.CaptureFixture[str], folder: str) -> None:
    assert main(["--config", str(config), "--output", folder]) == 2
    assert capsys.readouterr().err == f"error: {folder}: is a folder; name a file for the labels\n"


def test_nothing_left_to_read_is_a_mistake(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "news.jsonl").write_text(json.dumps({"id": "n", "text": TEXT, "licence": "none stated"}) + "\n", encoding="utf-8")
    with config.open("a", encoding="utf-8") as out:
        out.write("  licences: [MIT]\n")
    assert main(["--config", str(config), "--articles", str(tmp_path / "news.jsonl")]) == 2
    assert "no article" in capsys.readouterr().err

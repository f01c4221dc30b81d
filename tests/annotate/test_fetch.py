"""Fetching from a server on this machine: what is downloaded is what the config names, and becomes articles whole or not at all."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pooch")

from annotate import fetch
from annotate.articles import read_articles
from models import settings

ROOT = Path(__file__).parents[2]
STORY = "مدیرکل اداره گفت: ۲۰ مرکز باز شد. " * 8
LINES = "".join(f"جملهٔ {i}\n" for i in range(45))


class Site:
    """A folder on the web, the paths that were asked of it, and what a config says of its files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()
        folder.mkdir()

        class Handler(SimpleHTTPRequestHandler):
            def log_request(handler, *_: object) -> None:
                self.asked.append(handler.path)

            def log_error(handler, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def file(self, name: str, text: str, **stated: Any) -> dict[str, Any]:
        data = text.encode()
        (self.folder / name).write_bytes(data)
        url = f"http://127.0.0.1:{self.server.server_port}/{name}"
        return {"url": url, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} | stated


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """Fetch the given sources; ``names`` chooses among them."""

    def run(sources: Any, *names: str) -> int:
        config = tmp_path / "sources.yaml"
        config.write_text(sources if isinstance(sources, str) else yaml.safe_dump(sources, sort_keys=False), encoding="utf-8")
        return fetch.main(["--config", str(config), "--to", str(tmp_path / "to"), "--cache", str(tmp_path / "cache"), *names])

    return run


def source(format: str, *files: dict[str, Any], licence: str = "CC-BY-SA-4.0") -> dict[str, Any]:
    return {"format": format, "licence": licence, "files": list(files)}


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


# what is written


def test_articles_are_what_annotate_reads(site: Site, run: Callable[..., int], tmp_path: Path) -> None:
    file = site.file("a.txt", LINES)
    assert run({"b": source("sentences", file), "a": source("sentences", file, licence="MIT")}) == 0
    articles = list(read_articles([tmp_path / "to"]))
    assert [article.id for article in articles] == ["b:0", "b:1", "b:2", "a:0", "a:1", "a:2"]
    assert {(article.source, article.licence) for article in articles} == {(file["url"], "CC-BY-SA-4.0"), (file["url"], "MIT")}
    assert "\n".join(article.text for article in articles[:3]) + "\n" == LINES


def test_only_the_sources_named_are_fetched(site: Site, run: Callable[..., int], tmp_path: Path) -> None:
    sources = {name: source("sentences", site.file(f"{name}.txt", LINES)) for name in ("a", "b", "c")}
    assert run(sources, "c", "a") == 0
    assert site.asked == ["/a.txt", "/c.txt"]
    assert {article.id.partition(":")[0] for article in read_articles([tmp_path / "to"])} == {"a", "c"}


def test_a_second_run_downloads_nothing_and_writes_the_same(site: Site, run: Callable[..., int], tmp_path: Path) -> None:
    sources = {"a": source("sentences", site.file("a.txt", LINES)), "b": source("sentences", site.file("b.txt", LINES, sha256=None))}
    assert run(sources) == 0
    first = (tmp_path / "to/news.jsonl").read_bytes()
    asked = list(site.asked)
    assert run(sources) == 0
    assert (site.asked, (tmp_path / "to/news.jsonl").read_bytes()) == (asked, first)


@pytest.mark.parametrize("stated", [{}, {"sha256": None}])
def test_a_file_cut_short_in_the_cache_is_fetched_again(
    site: Site, run: Callable[..., int], tmp_path: Path, stated: dict[str, Any]
) -> None:
    sources = {"a": source("sentences", site.file("a.txt", LINES, **stated))}
    assert run(sources) == 0
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_text("جملهٔ")
    assert run(sources) == 0
    assert site.asked == ["/a.txt"] * 2


def test_a_hash_that_nobody_noted_is_told_as_the_config_wants_it(
    site: Site, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    noted, unknown = site.file("a.txt", LINES), site.file("b.txt", "یک جمله\n")
    assert run({"a": source("sentences", noted), "b": source("sentences", unknown | {"sha256": None})}) == 0
    told = capsys.readouterr().err.partition("was checked; ")[2].split("\n", 1)[1]
    assert yaml.safe_load(told) == [unknown]


# what is refused: one line, exit 2, nothing written


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"sha256": "0" * 64}, f"its sha256 is not {'0' * 64}"),
        ({"bytes": 7}, "bytes in place of 7"),
        ({"bytes": 7, "sha256": None}, "bytes in place of 7"),
        ({"url": "http://127.0.0.1:1/a.txt"}, "cannot be fetched"),
        ({"url": "nowhere"}, "cannot be fetched"),
    ],
)
def test_another_file_than_stated(
    site: Site, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], stated: dict[str, Any], message: str
) -> None:
    sources = {"a": source("sentences", site.file("a.txt", LINES)), "b": source("sentences", site.file("b.txt", LINES, **stated))}
    assert run(sources) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(error) == 1
    assert message in error[0]
    assert left(tmp_path / "to") == []
    assert len(left(tmp_path / "cache")) == 1  # a.txt, which is what it should be


def test_a_file_that_is_not_there(site: Site, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = site.file("a.txt", LINES)
    (site.folder / "a.txt").unlink()
    assert run({"a": source("sentences", file)}) == 2
    assert "error: " + file["url"] + ": cannot be fetched: 404" in capsys.readouterr().err
    assert left(tmp_path / "to") + left(tmp_path / "cache") == []


def test_what_was_fetched_before_stays_when_a_later_run_fails(site: Site, run: Callable[..., int], tmp_path: Path) -> None:
    good = {"a": source("sentences", site.file("a.txt", LINES))}
    assert run(good) == 0
    before = (tmp_path / "to/news.jsonl").read_bytes()
    assert run(good | {"b": source("sentences", site.file("b.txt", LINES, bytes=7))}) == 2
    assert left(tmp_path / "to") == ["news.jsonl"]
    assert (tmp_path / "to/news.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("paragraphs", "[1"),
        ("paragraphs", "[1]"),
        ("paragraphs", '[{"text": "x"}]'),
        ("squad", "[]"),
        ("squad", '{"data": 1}'),
        ("documents", "یک\n"),
        ("premises", "یک\tدو\nسه\tچهار\n"),
    ],
)
def test_a_file_of_another_format(
    site: Site, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str, text: str
) -> None:
    assert run({"a": source(format, site.file("a", text))}) == 2
    assert f"error: source 'a': not in the format '{format}'" in capsys.readouterr().err
    assert left(tmp_path / "to") == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("a: [", "sources.yaml, line 1: not valid YAML"),
        ("", "expected a mapping of sources"),
        ("- a", "expected a mapping of sources"),
        ("a: b", "source 'a': expected the fields format, licence, files"),
        ("a: {format: sentences, licence: MIT, files: [], size: 1}", "source 'a': expected the fields format, licence, files"),
        ("a: {format: rows, licence: MIT, files: []}", "field 'format': unknown format 'rows'; known are paragraphs"),
        ("a: {format: sentences, licence: 1, files: []}", "field 'licence': 1 is no str"),
        ("a: {format: sentences, licence: MIT, files: [{url: x}]}", "source 'a', file 1: expected the fields url, bytes, sha256"),
        ("a: {format: sentences, licence: MIT, files: [{url: x, bytes: y, sha256: null}]}", "file 1, field 'bytes': 'y' is no int"),
        ("a: {format: sentences, licence: MIT, files: [{url: x, bytes: 1, sha256: 2}]}", "field 'sha256': 2 is no str | None"),
    ],
)
def test_a_faulty_config(run: Callable[..., int], capsys: pytest.CaptureFixture[str], config: str, message: str) -> None:
    assert run(config) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_unknown_name(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"a": source("sentences"), "b": source("sentences")}, "c") == 2
    assert "no source 'c'; known are a, b" in capsys.readouterr().err


def test_pooch_is_asked_for_where_it_is_missing(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert run({"a": source("sentences")}) == 2
    assert "pip install 'gozareh[corpora]'" in capsys.readouterr().err


# the formats


def read(format: str, *texts: str) -> dict[int, str]:
    return dict(fetch.FORMATS[format](texts))


def test_paragraphs_keep_their_place_in_the_list_when_a_short_item_is_left_out() -> None:
    items = [{"title": "تیتر", "paragraphs": [f" {STORY}\n", "", "پایان\r\nسخن"]}, {"paragraphs": ["کوتاه"]}, {"paragraphs": [STORY]}]
    assert read("paragraphs", json.dumps(items)) == {0: f"{STORY.strip()}\nپایان\nسخن", 2: STORY.strip()}


def test_squad_gives_the_passages_alone() -> None:
    paragraphs = [{"context": "متن یک ", "qas": [{"question": "چه؟"}]}, {"context": "متن دو", "qas": []}]
    assert read("squad", json.dumps({"version": "1", "data": [{"title": "تیتر", "paragraphs": paragraphs}]})) == {0: "متن یک\nمتن دو"}


def test_documents_are_lines_in_a_row_that_have_one_id() -> None:
    assert read("documents", "یک\r\nدو\r\nسه\r\n", "a.1\na.1\nb.2\n") == {0: "یک\nدو", 1: "سه"}


def test_conllu_gives_its_sentences_whole() -> None:
    text = "# sent_id = 1\n# text = او رفت.\n# translit = u raft.\n1\tاو\t_\n\n# text = آمد.\n1\tآمد\t_\n"
    assert read("conllu", text) == {0: "او رفت.\nآمد."}


def test_premises_come_once_over_all_files() -> None:
    header = "premise\thypothesis\tlabel\n"
    assert read("premises", f'{header}یک \tالف\te\nیک \tب\tc\n"""دو"""\tپ\tn\n', f"{header}یک\tت\te\nسه\tث\te\n") == {0: 'یک\n"دو"\nسه'}


@given(st.lists(st.text(st.sampled_from("ابپ ،"), max_size=4), max_size=90))
def test_sentences_come_once_in_their_order_twenty_an_article(sentences: list[str]) -> None:
    groups = read("sentences", "\n".join(sentences))
    given_once = list(dict.fromkeys(filter(None, map(str.strip, sentences))))
    assert [line for text in groups.values() for line in text.split("\n")] == given_once
    assert [text.count("\n") + 1 for text in groups.values()][:-1] == [20] * (len(groups) - 1 if groups else 0)
    assert list(groups) == list(range(len(groups)))


# the sources of the project


def test_the_sources_of_the_project_allow_published_weights_and_are_pinned_to_a_commit() -> None:
    sources = fetch.load_sources(ROOT / "configs/corpora.yaml")
    allowed = settings.load(ROOT / "configs/compact-news.yaml").annotate.licences
    assert [source.name for source in sources if not source.licence.startswith(allowed)] == []
    urls = [file.url.split("/") for source in sources for file in source.files]
    assert {(*url[:3], len(url[5])) for url in urls} == {("https:", "", "raw.githubusercontent.com", 40)}
    assert len(set(map(tuple, urls))) == len(urls)
    assert all(len(file.sha256 or "0" * 64) == 64 for source in sources for file in source.files)

"""Articles from files of every kind, each mistake in one line, and the story told from what a news site prints around it."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.articles import body_of, is_furniture, read_articles, sentences_of
from models.errors import UserError
from models.records import Article
from models.text import fold

STORY = "مدیرکل اداره گفت: ۲۰ مرکز باز شد."


def body(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in body_of(text)]


# reading


def test_a_text_file_is_an_article_untouched(tmp_path: Path) -> None:
    text = f"تیتر خبر\r\n {STORY}\r\nکد خبر: ۱۲"
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert list(read_articles([tmp_path / "a.txt"])) == [Article("a", text, body_of(text), str(tmp_path))]


@pytest.mark.parametrize("name", ["news.jsonl", "news.jsonl.gz"])
def test_jsonl_holds_an_article_a_line(tmp_path: Path, name: str) -> None:
    records = [{"text": STORY, "licence": "CC0", "title": "تیتر"}, {"id": "x", "text": STORY}, {"id": 7, "text": STORY}]
    data = "\n".join(json.dumps(record) for record in records).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    articles = list(read_articles([tmp_path / name]))
    assert [article.id for article in articles] == ["news-1", "x", "7"]
    assert [article.licence for article in articles] == ["CC0", None, None]
    assert {article.text for article in articles} == {STORY}


@pytest.mark.parametrize(("record", "source"), [({}, "news.jsonl"), ({"source": None}, "news.jsonl"), ({"source": "agency"}, "agency")])
def test_an_article_without_a_source_has_its_files_name(tmp_path: Path, record: dict[str, str | None], source: str) -> None:
    (tmp_path / "news.jsonl").write_text(json.dumps({"text": STORY} | record), encoding="utf-8")
    assert [article.source for article in read_articles([tmp_path])] == [source]


def test_a_folder_is_read_recursively_and_in_order_other_files_passed_over(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "sub/a.txt", "a.txt", "README.md"):
        (tmp_path / name).write_text(STORY, encoding="utf-8")
    (tmp_path / "sub" / "a.txt").rename(tmp_path / "sub" / "c.txt")
    assert [article.id for article in read_articles([tmp_path])] == ["a", "b", "c"]


def test_html_is_read_by_its_extractor(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura", exc_type=ImportError)
    paragraphs = "".join(f"<p>{STORY} این بند شماره {n} است و درباره مرکزهای تازه شهر سخن می‌گوید.</p>" for n in range(5))
    page = f"<html><head><title>تیتر</title></head><body><nav>خانه ورزش</nav><article>{paragraphs}</article></body></html>"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (article,) = read_articles([tmp_path])
    assert article.id == "page"
    assert STORY in article.text
    assert "<p>" not in article.text


def test_html_without_its_extractor_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    (tmp_path / "page.html").write_text("<p>a</p>", encoding="utf-8")
    with pytest.raises(UserError, match=r"page\.html: .*pip install 'gozareh\[html\]'"):
        list(read_articles([tmp_path]))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.pdf", b"x", r"a\.pdf: unknown suffix '\.pdf'"),
        ("a.txt", b"", r"a\.txt: holds no text"),
        ("a.txt", b" \n ", r"a\.txt: holds no text"),
        ("a.txt", b"one\ntwo\xff", r"a\.txt, line 2: not valid UTF-8"),
        ("a.jsonl", b"", r"a\.jsonl: holds no article"),
        ("a.jsonl", b'{"text": "a"}\n{"text"', r"a\.jsonl, line 2: not valid JSON"),
        ("a.jsonl", b"[1]", r"a\.jsonl, line 1: a JSON list"),
        ("a.jsonl", b'{"title": "a"}', r"a\.jsonl, line 1: no field 'text'"),
        ("a.jsonl", b'{"text": 3}', r"a\.jsonl, line 1, field 'text'"),
        ("a.jsonl", b'{"text": " "}', r"a\.jsonl, line 1, field 'text': holds no text"),
        ("a.jsonl", b'{"text": "a", "id": [1]}', r"a\.jsonl, line 1, field 'id'"),
        ("a.jsonl", b'{"text": "a", "id": "x"}\n{"text": "b", "id": "x"}', r"a\.jsonl: id 'x' is taken"),
        ("a.jsonl.gz", b"plain", r"a\.jsonl\.gz: not a gzip file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "abc"}')[:-9], r"a\.jsonl\.gz: not a gzip file or cut short"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_place(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        list(read_articles([tmp_path / name]))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_without_articles_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        list(read_articles([tmp_path / "none.txt"]))
    with pytest.raises(UserError, match=r"none: no such file"):
        list(read_articles([tmp_path / "none"]))
    with pytest.raises(UserError, match="holds no article"):
        list(read_articles([tmp_path]))


def test_an_id_met_in_two_files_names_both(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(STORY, encoding="utf-8")
    with pytest.raises(UserError, match=r"two.a\.txt: id 'a' is taken by an article of .*one.a\.txt"):
        list(read_articles([tmp_path]))


# the story


@pytest.mark.parametrize(
    "line",
    [
        "کد خبر: ۲۱۵۰۸۳",
        "- کدخبر: 1398392",
        "كد خبر 12",
        "تاریخ انتشار: ۰۸ بهمن ۱۳۹۹ - ۱۰:۲۷",
        "۱۳۹۹/۱۲/۱۸ - ۱۰:۴۶:۲۳",
        "سه‌شنبه ۱۴ تیر ۱۴۰۱ | ساعت ۱۳:۱۲",
        "نسخه چاپی ارسال به دوستان ذخیره",
        "اشتراک‌گذاری",
        "اشتراک گذاری تلگرام واتساپ",
        "لینک کوتاه: https://x.ir/a1",
        "کپی شد",
        "نظر شما",
        "۳ نظر",
        "شما در حال پاسخ به نظر «» هستید.",
        "captcha",
        "منبع: irna.ir",
        "مرجع / مـهـر",
        "پایان پیام/",
        "انتهای‌پیام/۸۶۰۱۱/ت۱۰",
        "آخرین اخبار",
        "بیشتر بخوانید: مرکزی دیگر باز شد",
        "برچسب‌ها: مسکن، اشتغال",
        "@kanal_khabar | Link",
        "برای خبرهای تازه کانال ما را دنبال کنید",
        "#مسکن #اشتغال",
        "عکس: مینا احمدی",
        "پایگاه اطلاع رسانی و خبری شهر ما -تهران",
        ":",
        "🔹",
    ],
)
def test_furniture_goes(line: str) -> None:
    text = f"تیتر نخست خبر\n{line}\n{STORY}"
    assert is_furniture(fold(line).text)
    assert body(text) == ["تیتر نخست خبر", STORY]


@pytest.mark.parametrize(
    "line",
    [
        "خبرگزاری فارس هک شد",
        "منابع خبری از باز شدن مرکز خبر دادند",
        "وی در پایان پیام خود از مردم سپاسگزاری کرد.",
        "نظر شما را درباره این طرح می‌خواهیم.",
        "تاریخ انتشار این کتاب سال ۱۴۰۰ است.",
        "امروز ۱۲ مرکز در تهران باز می‌شود",
        "۱۲ مرکز تازه",
        "چاپ کتاب‌های درسی به پایان رسید",
        "آخرین اخبار مرکزهای تازه را مدیرکل اداره اعلام کرد.",
        "افتتاح ۱۲ مرکز/ ایجاد هزار شغل تازه",
        "او گفت مردم #ایران قهرمان هستند.",
        "مدیرکل بهزیستی: برای مشاوره ما را دنبال کنید",
    ],
)
def test_news_stays(line: str) -> None:
    assert body(f"{line}\n{STORY}") == [f"{line}\n{STORY}"]


def test_a_long_word_after_a_label_is_read_once() -> None:
    # a search that goes back over the word never ends
    for start in ("عکس: ", "پایگاه خبری شهر - ", "باز شد./", "a."):
        line = f"{start}{'ا' * 5000}!"
        assert not is_furniture(line)
        assert body(line) == [line]


def test_a_repeated_headline_stays_once_whatever_its_letters() -> None:
    headline = "افتتاح ۱۲ مرکز در سراسر کشور"
    assert body(f"{headline}\nکد خبر: ۱\nافتتاح 12 مركز در سراسر  كشور\n{STORY}") == [headline, STORY]
    assert body("علی\nحسن\nعلی\nرضا") == ["علی\nحسن\nعلی\nرضا"]


@pytest.mark.parametrize("tail", ["انتهای پیام/۱۲۳", " پایان پیام/", " انتهاي پيام", "/ مهر", " @kanal", " #مسکن #اشتغال"])
def test_a_sign_off_at_the_end_of_a_sentence_is_cut(tail: str) -> None:
    assert body(STORY + tail) == [STORY]


def test_a_list_of_links_goes_up_to_the_story() -> None:
    text = f"{STORY}\nبیشتر بخوانید:\nمرکزی در شمال باز شد\nراه تازه جنوب\nوی افزود: راه‌ها هم باز شد.\nآخرین اخبار\nهوای فردا"
    assert body(text) == [STORY, "وی افزود: راه‌ها هم باز شد."]


def test_sentences_are_numbered_and_keep_their_offsets_in_the_file() -> None:
    text = f"کد خبر: ۱\n{STORY} وی رفت.\nنظر شما"
    article = Article("a", text, body_of(text))
    found = sentences_of(article)
    assert [(s.id, s.article, s.text) for s in found] == [("a-001", "a", STORY), ("a-002", "a", "وی رفت.")]
    assert all(text[s.start : s.end] == s.text for s in found)


@given(st.lists(st.sampled_from([STORY, "کد خبر: ۱", ":", " ", "تیتر خبر", "نظر شما", "شد. پایان پیام/۱", "آخرین اخبار", "\u200f", "a\r"])))
def test_a_body_is_made_of_ordered_disjoint_ranges(lines: list[str]) -> None:
    text = "\n".join(lines)
    after = 0
    for start, end in body_of(text):
        assert after <= start < end <= len(text)
        after = end

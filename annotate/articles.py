"""Articles from files, and which of their lines are the story: what a news site prints around it stays out of ``Article.body``.

A text file is an article, a JSONL file holds one a line (``text``, optional ``id``, ``source``, ``licence``; ``title`` is not read), an
HTML page is what trafilatura extracts from it.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from models import files
from models.errors import UserError
from models.records import Article, Range, Sentence
from models.text import fold, sentences

from .functions.base import entries

# Furniture is recognised on folded lines, spaces and marks aside. A line that is made of the list's phrases and of numbers alone goes.
# Lines come from anywhere and may be long: every regular expression here is linear, its repeats possessive or short.
_PHRASES = sorted(("".join(filter(str.isalnum, fold(phrase).text.lower())) for phrase in entries("furniture")), key=len, reverse=True)
_FURNITURE = re.compile(r"(?>\d++|" + "|".join(_PHRASES) + ")*+")

# A label and whatever follows it on its line.
_LABELLED = re.compile(
    r"""(?: (?:کد|شناسه|شماره)\ ?(?:خبر|مطلب)\ ?:?\ ?\d
          | تاریخ\ ?(?:انتشار|خبر|درج)\ ?:
          | (?:منبع|مرجع|ماخذ)\ ?(?:خبر)?\ ?[:/]
          | (?:برچسب|تگ|کلیدواژه|کلید\ واژه)\ ?(?:ها|های\ خبر)?\ ?:
          | کلمات\ کلیدی\ ?:
          | لینک\ ?(?:کوتاه)?\ ?(?:خبر)?\ ?:
          | (?:همچنین\ )?(?:بیشتر\ )?(?:بخوانید|ببینید)\ ?:
          | (?:انتهای|پایان)\ ?(?:پیام|خبر|متن|گزارش)\ ?[/\\|.]
          | شما\ در\ حال\ پاسخ\ به\ نظر
          | (?:پایگاه\ (?:اطلاع|خبری)|خبرگزاری|سایت\ خبری|شبکه\ خبری)\ ?[^.!؟:،]{3,60}[-–]\ ?\w++(?:\ \w++)?$
          )""",
    re.VERBOSE,
)
_CREDIT = re.compile(r"(?:عکس|عکس ?ها|عکاس|عکاسان|نویسنده|نگارنده|خبرنگار|مترجم|تصویربردار) ?: ?\w++(?: \w++){0,3}$")
_INVITATION = re.compile(r"[^.!؟?:]{0,90}(?:بخوانید|ببینید|بشنوید|دنبال کنید|بپیوندید|عضو شوید|نظر بدهید|کلیک کنید)[\s:]*+$")
_LINK = re.compile(
    r"[@#]\w[\w.]*+|(?:https?://|www\.|t\.me/)\S++|(?<![\w.-])[\w-]++(?:\.[\w-]++)*\.(?:ir|com|org|net|me)\b[\w/?=&%.-]*+", re.IGNORECASE
)
_LINK_LISTS = ("آخریناخبار", "آخرینخبر", "اخبارمرتبط", "خبرهایمرتبط", "مطالبمرتبط", "بیشتربخوانید", "همچنینبخوانید", "پربازدید", "پربیننده")

# What is cut from the end of a line of the story: the agency's sign-off, its name after a slash, handles and hashtags.
_TAIL = re.compile(
    r"""(?: (?:(?<=[.!؟»/…])|(?<=[.!؟»/…]\ ))(?:انتهای|پایان)\ ?(?:پیام|خبر|متن)(?:[\ /\\|.][\w\ /\\.-]{0,20})?
          | [/\ ](?:انتهای|پایان)\ ?(?:پیام|متن)\ ?/[\w\ /\\.-]{0,20}
          | (?<=[.!؟])\ ?(?=[/@\#])(?:/\ ?(?:[^\W\d_]++\ ?){1,3})?(?:[@\#]\w[\w.]*+[\ |]*+)*+ )$""",
    re.VERBOSE,
)
_LONGEST_TAIL = 200  # characters
_HEADLINE = 4  # words: a shorter line may come twice in a list or a table
_SUFFIXES = (".txt", ".jsonl", ".jsonl.gz", ".html")
_LINE = re.compile(r"[^\n\r]+")


def read_articles(paths: Iterable[str | Path]) -> Iterator[Article]:
    """The articles of files and of folders, these recursively and in the order of their names; ids are unique over all of them.

    Raises UserError for a file that is missing, of another suffix, empty or broken, a folder without an article, and an id met twice.
    """
    sources: dict[str, Path] = {}
    for path in paths:
        for file in files_of(Path(path)):
            for article in read_file(file):
                if article.id in sources:
                    raise UserError(f"{file}: id '{article.id}' is taken by an article of {sources[article.id]}; give each its own id")
                sources[article.id] = file
                yield article


def files_of(path: Path) -> list[Path]:
    """A file itself, or the article files in a folder and its sub-folders, sorted. Raises UserError for a folder that holds none."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.name.endswith(_SUFFIXES) and file.is_file())
    if not found:
        raise UserError(f"{path}: holds no article; put {', '.join(_SUFFIXES)} files in it")
    return found


def check_apart(output: Path, paths: Iterable[str | Path]) -> None:
    """Raise UserError for an output that is one of the articles' files, or lies in one of their folders and would be read as one."""
    for path in map(Path, paths):
        files.check_apart(output, files_of(path))
        if output.name.endswith(_SUFFIXES) and output.resolve().is_relative_to(path.resolve()):
            raise UserError(f"{output}: lies among the articles and would be read as one; name a place outside")


def read_file(path: Path) -> Iterator[Article]:
    """The articles of one file. Raises UserError as ``read_articles`` does."""
    for suffix, read in _READERS.items():
        if path.name.endswith(suffix):
            return read(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path")
    raise UserError(f"{path}: unknown suffix '{path.suffix}'; name {', '.join(_SUFFIXES)} files")


def _read_txt(path: Path) -> Iterator[Article]:
    yield _article(path.stem, files.read_text(path), str(path.parent), None, str(path))


def _read_html(path: Path) -> Iterator[Article]:
    try:
        import trafilatura  # noqa: PLC0415  # an optional extra, and slow to load
    except ImportError:
        raise UserError(f"{path}: reading HTML needs trafilatura; pip install 'gozareh[html]'") from None
    text = trafilatura.extract(files.read_text(path), include_comments=False)
    yield _article(path.stem, text or "", str(path.parent), None, str(path))


def _read_jsonl(path: Path) -> Iterator[Article]:
    data = files.read_bytes(path)
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise UserError(f"{path}: not a gzip file or cut short; compress it again") from None
    empty = True
    for number, record in files.parse_jsonl(files.decode(data, str(path)), str(path)):
        where = f"{path}, line {number}"
        id = record.get("id", f"{path.name.removesuffix('.gz').removesuffix('.jsonl')}-{number}")
        if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
            raise UserError(f"{where}, field 'id': expected a text or a number that is the article's own")
        text, source, licence = files.field(record, "text", str, where), record.get("source"), record.get("licence")
        source, licence = path.name if source is None else str(source), None if licence is None else str(licence)
        yield _article(str(id), text, source, licence, f"{where}, field 'text'")
        empty = False
    if empty:
        raise UserError(f"{path}: holds no article; one JSON object with 'text' a line")


def _article(id: str, text: str, source: str, licence: str | None, where: str) -> Article:
    if not text.strip():
        raise UserError(f"{where}: holds no text; fill it or leave it out")
    return Article(id, text, body_of(text), source, licence)


_READERS: dict[str, Callable[[Path], Iterator[Article]]] = {
    ".txt": _read_txt,
    ".jsonl": _read_jsonl,
    ".jsonl.gz": _read_jsonl,
    ".html": _read_html,
}


def body_of(text: str) -> tuple[Range, ...]:
    """The ranges of an article's text that are its story, in order: furniture and repeated headlines left out, lines that follow joined."""
    ranges: list[Range] = []
    seen: set[str] = set()
    in_links = False
    for line in _LINE.finditer(text):
        folded = fold(line.group().rstrip())
        key = _key(folded.text)
        furniture = is_furniture(folded.text)
        in_links = (in_links or key.startswith(_LINK_LISTS)) if furniture else in_links and not _is_done(folded.text)
        if in_links or furniture or (key in seen and len(folded.text.split()) >= _HEADLINE):
            continue
        seen.add(key)
        tail = _TAIL.search(folded.text, max(0, len(folded.text) - _LONGEST_TAIL))
        end = line.start() + folded.offsets[tail.start()] if tail else line.end()
        if ranges and not text[ranges[-1][1] : line.start()].strip():
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((line.start(), end))
    return tuple(ranges)


def is_furniture(line: str) -> bool:
    """Whether a folded line is page furniture: buttons, news codes, dates, sources, links, a signature, or no word at all."""
    line = _LINK.sub(" ", line).strip(" -–•*|")
    return bool(_FURNITURE.fullmatch(_key(line).lower()) or _LABELLED.match(line) or _CREDIT.match(line) or _INVITATION.match(line))


def _is_done(folded: str) -> bool:
    """Whether a line ends like a sentence of the story, not like a link's title."""
    return folded.rstrip(' »”)"').endswith((".", "!", "؟", "?", "…"))


def _key(folded: str) -> str:
    """Letters and digits alone, so that spaces, ZWNJ and marks make no difference."""
    return "".join(filter(str.isalnum, folded))


def sentences_of(article: Article) -> list[Sentence]:
    """The sentences of an article's body, their ids the article's with a running number from 001."""
    return [
        Sentence(f"{article.id}-{number:03d}", article.id, start, end, article.text[start:end])
        for number, (start, end) in enumerate(sentences(article.text, article.body), 1)
    ]

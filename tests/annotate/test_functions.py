"""Every labelling function does what the ``Fires:`` and ``Not:`` lines of its docstring say."""

import re
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.functions.base import LEXICONS, Passage
from models.labels import CLAIMS, OUTSIDE, SPAN_TYPES
from models.records import Sentence
from models.text import fold

SPAN_MODULES = ("persons", "roles", "numbers", "programs")
MODULES = (*SPAN_MODULES, "claims")


def functions(modules):
    return [function for module in modules for function in import_module(f"annotate.functions.{module}").FUNCTIONS]


def lines(kind):
    for function in functions(MODULES):
        for line in re.findall(rf"^ *{kind}: (.+)$", function.__doc__ or "", re.MULTILINE):
            yield pytest.param(function, line, id=f"{function.__module__.rpartition('.')[2]}.{function.__name__}")


def passage(text):
    """The passage of a docstring's line, «(known: …)» taken off, and the brackets' contents."""
    known = re.search(r" ?\(known: (\w+): ([^()]+)\)$", text)
    text = text[: known.start()] if known else text
    surfaces = re.findall(r"⟦(.+?)⟧", text)
    plain = re.sub("[⟦⟧]", "", text)
    sentence = Sentence("a-001", "a", 0, len(plain), plain)
    established = {known[1]: frozenset((fold(known[2]).text,))} if known else {}
    return Passage(sentence, fold(plain), established), surfaces


def is_veto(function):
    vetoes = {"eponyms", "classes_of_people", "generic_mentions"}
    vetoes |= {"calendar", "clock", "clause_number", "code", "score", "identifier", "article", "idiom", "ordinal"}
    return function.__name__ in vetoes


def is_claim(function):
    return function.__module__.endswith(".claims")


@pytest.mark.parametrize("function", functions(MODULES), ids=lambda f: f"{f.__module__.rpartition('.')[2]}.{f.__name__}")
def test_every_function_shows_what_it_fires_on_and_what_not(function):
    assert re.search(r"^ *Fires: ", function.__doc__ or "", re.MULTILINE)
    assert re.search(r"^ *Not: ", function.__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize(("function", "line"), list(lines("Fires")))
def test_fires(function, line):
    if is_claim(function):
        label, _, line = line.partition(": ")
        assert function(passage(line)[0]) == label
        return
    sentence, surfaces = passage(line)
    votes = set(function(sentence))
    spans = sorted({(start, end) for start, end, _ in votes})
    assert surfaces
    own = function.__module__.rpartition(".")[2].removesuffix("s").upper()  # a veto alone says otherwise
    assert {label for *_, label in votes} == {OUTSIDE if is_veto(function) else own}
    assert [sentence.sentence.text[slice(*sentence.folded.origin(*span))] for span in spans] == surfaces


@pytest.mark.parametrize(("function", "line"), list(lines("Not")))
def test_stays_silent(function, line):
    opinion = function(passage(line)[0])
    assert opinion is None if is_claim(function) else not list(opinion)


@given(st.text(alphabet="رئیس مدیرکل علی رضایی گفت طرح «»،.:()\u200c\n1۲و", max_size=60))
def test_any_text_gives_spans_inside_it(text):
    sentence = Passage(Sentence("a-001", "a", 0, len(text), text), fold(text))
    for function in functions(SPAN_MODULES):
        for start, end, label in function(sentence):
            assert 0 <= start < end <= len(sentence.text)
            assert label in (*SPAN_TYPES, OUTSIDE)
            assert sentence.text[start:end].strip() == sentence.text[start:end]


@given(st.text(alphabet="گفت شد است ۲ می‌شود درصد افتتاح باید.", max_size=60))
def test_any_text_gives_a_claim_or_none(text):
    sentence = Passage(Sentence("a-001", "a", 0, len(text), text), fold(text))
    assert all(function(sentence) in (None, *CLAIMS) for function in functions(("claims",)))


@pytest.mark.parametrize("path", sorted(LEXICONS.glob("*.txt")), ids=lambda path: path.stem)
def test_lexicons_name_their_source_and_repeat_nothing(path):
    first, *entries = path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"# source: .+; licence: .+", first)
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert entries
    assert len(entries) == len(set(entries))

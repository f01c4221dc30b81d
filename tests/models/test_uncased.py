"""ParsBERT's kind of tokenizer: uncased WordPiece, which deletes ZWNJ and marks, folds «آ» to «ا» and makes an Arabic yeh of «ئ».

Words, offsets and labels are of the text as it was written; nothing that the tokenizer does to it shows.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizerFast

from models.encoding import NO_WORD, decode_all, encode, tag
from models.labels import IGNORED, SPAN_TYPES, Schema
from models.records import Span
from models.text import words

SCHEMA = Schema()
LETTERS = "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیءكيةىـە" + "abcxyz" + "0123456789۰۱۲۳۴۵۶۷۸۹" + ".,،؛:؟!«»()/-%٪٫"  # as they are after folding
WHOLE = ["گفت", "می", "##شود", "مسيول", "سازمان", "بهزیستی", "##ها", "##های", "علی", "۱۴۰۰", "رییس", "اب"]
WRITTEN = [
    *"ابپتحخدرزسشعفقکگلمنوهیآأإؤئءةۀكىي",
    *"۰۱۲۳0123",
    *" .،«»()/٪",
    "\u200c",
    "\u064b",
    "\u0651",
    "\u0654",
    "\u0640",
    "\u200f",
    "A",
    "z",
]
SAMPLES = ["مسئول", "می‌شود", "آب", "قرآن", "تأمین", "رئیس\u200cجمهور", "مُدیر", "كتابهاي", "سـازمان", "خانۀ", "۴۰۰بسته", "۲٫۵٪"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """Saved and loaded, as from a folder of the hub: configuration and vocab.txt alone."""
    folder = tmp_path_factory.mktemp("uncased")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *WHOLE]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": len(pieces)}), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}), encoding="utf-8")
    loaded = AutoTokenizer.from_pretrained(folder)
    assert isinstance(loaded, BertTokenizerFast)
    return loaded


def test_it_does_to_text_what_parsberts_does(tokenizer):
    assert tokenizer.tokenize("مسئول می\u200cشود") == ["مسيول", "می", "##شود"]
    assert tokenizer.tokenize("آب قُرآن") == ["اب", "ق", "##ر", "##ا", "##ن"]


def one_hot(targets):
    """Logits that say exactly what the targets say."""
    return [np.eye(len(SCHEMA.tags))[np.where(t.labels == IGNORED, 0, t.labels)] * 20 for t in targets]


@pytest.mark.parametrize("text", SAMPLES)
def test_a_word_is_found_as_it_is_written(tokenizer, text):
    sentence = f"گفت {text} گفت"
    start, end = 4, 4 + len(text)
    first = words(text)[0][1]  # of «۴۰۰بسته» the number alone too
    for stop in {start + first, end}:
        span = Span("ROLE", start, stop, sentence[start:stop])
        (encoding,) = encode(tokenizer.backend_tokenizer, [sentence], 24, 8)
        (found,) = decode_all([encoding], one_hot(tag(encoding, [span], SCHEMA)), SCHEMA)[0]
        assert (found.start, found.end, found.text) == (span.start, span.end, span.text)


@st.composite
def labelled(draw):
    """A text and disjoint spans on its word edges, a few words each."""
    text = "".join(draw(st.lists(st.sampled_from([*WRITTEN, *SAMPLES, "سازمان‌های "]), max_size=40)))
    ranges, spans, i = words(text), [], 0
    while i < len(ranges):
        length = draw(st.integers(0, 4))
        if length:
            begin, end = ranges[i][0], ranges[min(i + length, len(ranges)) - 1][1]
            spans.append(Span(draw(st.sampled_from(SPAN_TYPES)), begin, end, text[begin:end]))
        i += max(length, 1)
    return text, spans


@given(labelled())
@example(("رئیس\u200cجمهور", [Span("ROLE", 0, 9, "رئیس\u200cجمهور")]))
@settings(max_examples=150, deadline=None)
def test_labels_come_back_as_they_were(tokenizer, sample):
    text, spans = sample
    (encoding,) = encode(tokenizer.backend_tokenizer, [text], size=24, overlap=8)
    seen = {int(w) for window in encoding.windows for w in window.word_of} - {NO_WORD}
    starts, ends = ({encoding.words[i][edge] for i in seen} for edge in (0, 1))
    spans = [s for s in spans if s.start in starts and s.end in ends]  # a word all of whose characters are deleted can't be an edge
    found = decode_all([encoding], one_hot(tag(encoding, spans, SCHEMA)), SCHEMA)[0]
    assert [(s.label, s.start, s.end, s.text) for s in found] == [(s.label, s.start, s.end, s.text) for s in spans]


@given(labelled())
@settings(max_examples=100, deadline=None)
def test_each_word_with_a_character_that_stays_has_a_token(tokenizer, sample):
    text, _ = sample
    (encoding,) = encode(tokenizer.backend_tokenizer, [text], size=256, overlap=8)
    seen = {int(w) for window in encoding.windows for w in window.word_of}
    kept = {i for i, (start, end) in enumerate(encoding.words) if any(letter.isalnum() for letter in text[start:end])}
    assert kept <= seen

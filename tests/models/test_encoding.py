from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from models.encoding import NO_WORD, best_path, decode_all, encode, tag
from models.labels import IGNORED, SPAN_TYPES, Schema
from models.records import Span
from models.text import words

SCHEMA = Schema()
ALPHABET = "ابپسشمیکگ\u200c ۱۲3.،«»()\u064b\u0640\u200f\nA:/"


def byte_like_tokenizer(drop_joiner: bool) -> Tokenizer:
    """A WordPiece of single letters; with ``drop_joiner`` it loses ZWNJ and marks as ParsBERT's uncased tokenizer does."""
    letters = sorted(set(ALPHABET) - set(" \n"))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters)]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    if drop_joiner:
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits()])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


TOKENIZERS = [byte_like_tokenizer(False), byte_like_tokenizer(True)]


def one_hot(targets):
    """Logits that say exactly what the targets say."""
    return [np.eye(len(SCHEMA.tags))[np.where(t.labels == IGNORED, 0, t.labels)] * 20 for t in targets]


@st.composite
def labelled(draw):
    """A text and disjoint spans on its word edges, a few words each."""
    text = draw(st.text(ALPHABET, max_size=80))
    ranges, spans, i = words(text), [], 0
    while i < len(ranges):
        length = draw(st.integers(0, 4))
        if length:
            begin, end = ranges[i][0], ranges[min(i + length, len(ranges)) - 1][1]
            spans.append(Span(draw(st.sampled_from(SPAN_TYPES)), begin, end, text[begin:end]))
        i += max(length, 1)
    return text, spans


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["plain", "drops ZWNJ"])
@given(labelled())
@settings(max_examples=150, deadline=None)
def test_decode_inverts_encode(tokenizer, sample):
    text, spans = sample
    (encoding,) = encode(tokenizer, [text], size=24, overlap=8)
    seen = {int(w) for window in encoding.windows for w in window.word_of} - {NO_WORD}
    starts, ends = ({encoding.words[i][edge] for i in seen} for edge in (0, 1))
    spans = [s for s in spans if s.start in starts and s.end in ends]  # a word without any token (a lone joiner) can't be an edge
    found = decode_all([encoding], one_hot(tag(encoding, spans, SCHEMA)), SCHEMA)[0]
    assert [(s.label, s.start, s.end, s.text) for s in found] == [(s.label, s.start, s.end, s.text) for s in spans]


@given(st.lists(st.lists(st.floats(-5, 5), min_size=9, max_size=9), max_size=12))
def test_paths_are_valid_and_no_valid_one_is_better(rows):
    scores = np.array(rows).reshape(-1, 9)
    path = best_path(scores) if len(scores) else np.array([], dtype=int)
    before = 0
    for tag_id in path:
        assert tag_id % 2 == 1 or tag_id == 0 or before in (tag_id, tag_id - 1)
        before = tag_id
    rng = np.random.default_rng(0)
    for _ in range(30):  # any other valid path scores no more
        other, before = [], 0
        for _ in range(len(scores)):
            choices = [t for t in range(9) if t % 2 == 1 or t == 0 or before in (t, t - 1)]
            before = rng.choice(choices)
            other.append(before)
        rows_index = np.arange(len(scores))
        assert scores[rows_index, other].sum() <= scores[rows_index, path].sum() + 1e-9 if len(scores) else True


def test_an_inside_tag_never_opens_a_span():
    (encoding,) = encode(TOKENIZERS[0], ["اب سش"], 24, 8)
    logits = np.zeros((len(encoding.windows[0].input_ids), 9))
    logits[:, SCHEMA.inside("PERSON")] = 5.0
    (span,) = decode_all([encoding], [logits], SCHEMA)[0]  # the first word must become B-PERSON
    assert (span.label, span.text) == ("PERSON", "اب سش")


def test_neighbouring_spans_of_one_type_stay_two():
    text = "۱۰ ۲۰"
    (encoding,) = encode(TOKENIZERS[0], [text.replace("۰", "۲")], 24, 8)
    spans = [Span("NUMBER", 0, 2, encoding.text[:2]), Span("NUMBER", 3, 5, encoding.text[3:])]
    assert [s.text for s in decode_all([encoding], one_hot(tag(encoding, spans, SCHEMA)), SCHEMA)[0]] == ["۱۲", "۲۲"]


def test_a_long_sentence_is_read_whole():
    text = " ".join(["ابپ"] * 500)
    (encoding,) = encode(TOKENIZERS[0], [text], size=32, overlap=8)
    assert all(len(window.input_ids) <= 32 for window in encoding.windows)
    spans = [Span("ROLE", 4 * i, 4 * i + 7, "ابپ ابپ") for i in range(0, 498, 3)]
    assert len(decode_all([encoding], one_hot(tag(encoding, spans, SCHEMA)), SCHEMA)[0]) == len(spans)


def test_a_word_of_many_windows_keeps_its_edges():
    text = "اب " + "س" * 100 + " شم"
    (encoding,) = encode(TOKENIZERS[0], [text], size=16, overlap=4)
    span = Span("PROGRAM", 3, 103, "س" * 100)
    (found,) = decode_all([encoding], one_hot(tag(encoding, [span], SCHEMA)), SCHEMA)[0]
    assert (found.start, found.end) == (3, 103)


def test_unsure_words_and_special_tokens_carry_no_label():
    (encoding,) = encode(TOKENIZERS[0], ["اب سش پگ"], 24, 8)
    (targets,) = tag(encoding, [], SCHEMA, unsure=[(3, 5)])
    masked = [int(w) for w, label in zip(encoding.windows[0].word_of, targets.labels, strict=True) if label == IGNORED]
    assert masked == [NO_WORD, 1, 1, NO_WORD]


def test_a_span_score_is_the_soft_target():
    (encoding,) = encode(TOKENIZERS[0], ["اب سش"], 24, 8)
    (targets,) = tag(encoding, [Span("ROLE", 3, 5, "سش", score=0.7)], SCHEMA)
    assert targets.scores.tolist() == [1, 1, 1, 0.7, 0.7, 1]


def test_a_span_within_a_word_is_refused():
    (encoding,) = encode(TOKENIZERS[0], ["ابپ"], 24, 8)
    with pytest.raises(ValueError, match="word edges"):
        tag(encoding, [Span("ROLE", 1, 3, "بپ")], SCHEMA)


def test_nothing_is_found_in_nothing():
    (encoding,) = encode(TOKENIZERS[0], [""], 24, 8)
    assert decode_all([encoding], [np.zeros((len(encoding.windows[0].input_ids), 9))], SCHEMA)[0] == ()
    assert encode(TOKENIZERS[0], [], 24, 8) == []


def test_sentences_decoded_together_are_decoded_as_each_alone():
    texts = ["اب سش", "", "اب " * 60, "۱۲", "«»", "پگ شم " * 5]
    encodings = encode(TOKENIZERS[0], texts, 24, 8)
    dice = np.random.default_rng(13)
    logits = [
        [dice.normal(size=(len(window.input_ids), 9)) for window in encoding.windows] for encoding in encodings
    ]  # many break the rule
    found = decode_all(encodings, [row for rows in logits for row in rows], SCHEMA)
    assert found == [decode_all([encoding], rows, SCHEMA)[0] for encoding, rows in zip(encodings, logits, strict=True)]
    assert found[1] == ()
    assert any(found)
    assert decode_all([], [], SCHEMA) == []

"""Character spans <-> token tags, and the overlapping windows in which a long sentence is read.

The one place where tokens and characters meet: training encodes, prediction encodes and decodes, both with the functions here. A span's
edges are word edges (``text.words``); a word is never cut, whatever pieces the tokenizer makes of it. Only numpy is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .labels import IGNORED, Schema
from .records import Range, Span, overlap
from .text import words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]
Outputs = tuple[Floats, Floats | None]  # of the network: a batch's logits, and its claims', None without that head

NO_WORD = -1  # what a special token or an empty piece stands for


@dataclass(frozen=True, slots=True)
class Window:
    """One input row for the network: token ids and, for each, the index of the word that it begins in or ``NO_WORD``."""

    input_ids: Ids
    word_of: Ids


@dataclass(frozen=True, slots=True)
class Encoding:
    """A sentence as the network reads it: its words' ranges and one window, or several that overlap."""

    text: str
    words: tuple[Range, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """What the span head should say of one window, a number a token.

    ``labels`` are tag ids, ``IGNORED`` where there is no label; ``scores`` the probability of that tag, the rest of it being ``O``'s.
    """

    labels: Ids
    scores: Floats


def encode(tokenizer: Tokenizer, texts: Sequence[str], size: int, overlap: int) -> list[Encoding]:
    """Tokenize sentences into windows of at most ``size`` tokens, special ones included, that share ``overlap`` tokens.

    The tokenizer is left set to that length and to no padding.
    """
    length = tokenizer.truncation
    if length is None or (length["max_length"], length["stride"]) != (size, overlap):
        tokenizer.enable_truncation(size, stride=overlap)
    tokenizer.no_padding()
    found = []
    for text, first in zip(texts, tokenizer.encode_batch(list(texts)), strict=True):
        ranges = tuple(words(text))
        windows = tuple(
            Window(np.array(window.ids, dtype=np.int64), _words_of(ranges, window.offsets, window.special_tokens_mask))
            for window in (first, *first.overflowing)
        )
        found.append(Encoding(text, ranges, windows))
    return found


def _words_of(ranges: Sequence[Range], offsets: Iterable[Range], special: Iterable[int]) -> Ids:
    """Index of the word that each token begins in; a token that begins before its word (a space, a joiner) counts to the one it reaches."""
    if not ranges:
        return np.full(len(list(offsets)), NO_WORD)
    tokens = np.asarray(list(offsets), dtype=np.int64)
    bounds = np.asarray(ranges)
    index = np.searchsorted(bounds[:, 1], tokens[:, 0], side="right")  # the first word that ends after the token's start
    reached = np.minimum(index, len(bounds) - 1)
    empty = (tokens[:, 0] >= tokens[:, 1]) | (index == len(bounds)) | (bounds[reached, 0] >= tokens[:, 1]) | np.asarray(special, dtype=bool)
    return np.where(empty, NO_WORD, reached)


def tag(encoding: Encoding, spans: Iterable[Span], schema: Schema, unsure: Iterable[Range] = ()) -> list[Targets]:
    """Token targets of each window: every token of a span's words is tagged, B on the first token, I on all that follow.

    Tokens in an ``unsure`` range and special tokens are ``IGNORED``. Raises ValueError for a span whose edges are not word edges.
    """
    first = np.zeros(len(encoding.words), dtype=np.int64)  # tag of a word's first token, and of its others
    others = np.zeros_like(first)
    scores = np.ones(len(encoding.words))
    starts = {start: i for i, (start, _) in enumerate(encoding.words)}
    ends = {end: i for i, (_, end) in enumerate(encoding.words)}
    for span in spans:
        if span.start not in starts or span.end not in ends:
            raise ValueError(f"[{span.start}, {span.end}) «{span.text}» does not begin and end on word edges of «{encoding.text}»")
        begin, end = starts[span.start], ends[span.end] + 1
        first[begin:end] = others[begin:end] = schema.inside(span.label)
        first[begin] = schema.begin(span.label)
        scores[begin:end] = span.score
    for stretch in unsure:
        hit = [i for i, word in enumerate(encoding.words) if overlap(word, stretch)]
        first[hit] = others[hit] = IGNORED
    return [_window_targets(window.word_of, first, others, scores) for window in encoding.windows]


def _window_targets(word_of: Ids, first: Ids, others: Ids, scores: Floats) -> Targets:
    if not len(first):
        return Targets(np.full(len(word_of), IGNORED), np.ones(len(word_of)))
    labels = np.where(_continues(word_of), others[word_of], first[word_of])
    return Targets(np.where(word_of == NO_WORD, IGNORED, labels), np.where(word_of == NO_WORD, 1.0, scores[word_of]))


def _continues(word_of: Ids) -> Bools:
    """Whether each token goes on with the word of the token before it. A window may open within a word: that token then counts as first."""
    return np.concatenate([[False], word_of[1:] == word_of[:-1]])


def decode_all(encodings: Sequence[Encoding], logits: Sequence[Floats], schema: Schema) -> list[tuple[Span, ...]]:
    """Spans of each sentence from each window's tag logits, (tokens, tags), by the best BIO-valid path over whole words.

    A word's log-probabilities are the mean of its tokens', a first token's B standing beside its others' I. Where windows overlap, a word
    is read in the one that shows most of its context. A span's score is the mean probability of its words' tags. The sentences' arrays
    lie end to end, so that what numpy takes to begin is paid once for all of them.
    """
    seen, scores = word_scores(encodings, logits, schema)
    before = first_words(encodings)
    sentence = np.searchsorted(before, seen, side="right") - 1
    path = _best_paths(scores, sentence)
    probabilities: list[float] = np.exp(scores[np.arange(len(path)), path]).tolist()
    found: list[list[Span]] = [[] for _ in encodings]
    tags, numbers, words_ = path.tolist(), sentence.tolist(), (seen - before[sentence]).tolist()
    for begin, end in _runs(path):
        encoding, label = encodings[numbers[begin]], schema.type_of(tags[begin])
        assert label is not None
        start, stop = encoding.words[words_[begin]][0], encoding.words[words_[end - 1]][1]
        found[numbers[begin]].append(Span(label, start, stop, encoding.text[start:stop], sum(probabilities[begin:end]) / (end - begin)))
    return list(map(tuple, found))


def first_words(encodings: Sequence[Encoding]) -> Ids:
    """Of each encoding, how many words those before it have: the number of its first, counted through all of them."""
    counts = np.array([len(encoding.words) for encoding in encodings], dtype=np.int64)
    return np.cumsum(counts) - counts


def word_scores(encodings: Sequence[Encoding], logits: Sequence[Floats], schema: Schema) -> tuple[Ids, Floats]:
    """Numbers of the words that have tokens, (n,), see ``first_words``, and their normalised tag log-probabilities, (n, tags)."""
    inside = np.array([schema.inside(label) if label else 0 for label in map(schema.type_of, range(len(schema.tags)))])
    windows = [
        (window.word_of, first) for encoding, first in zip(encodings, first_words(encodings), strict=True) for window in encoding.windows
    ]
    sizes = np.array([len(word_of) for word_of, _ in windows], dtype=np.int64)
    word_of = np.concatenate([np.zeros(0, dtype=np.int64), *(word_of for word_of, _ in windows)])
    window_of = np.repeat(np.arange(len(windows)), sizes)
    place = np.arange(len(word_of)) - (np.cumsum(sizes) - sizes)[window_of]  # in its window
    real = np.flatnonzero(word_of != NO_WORD)
    if not len(real):
        return real, np.zeros((0, len(schema.tags)))
    log_probs = _log_softmax(np.concatenate([row[:size] for row, size in zip(logits, sizes, strict=True)], dtype=np.float64))
    continues = _continues(word_of) & (place > 0)
    read_as = np.where(continues[:, None], log_probs[:, inside], log_probs)[real]
    word = (word_of + np.array([first for _, first in windows])[window_of])[real]  # in the order of the windows
    first = np.flatnonzero(np.diff(word, prepend=-1) | np.diff(window_of[real], prepend=-1))  # tokens that a word begins with in a window
    count = np.diff(first, append=len(word))
    mean = np.add.reduceat(read_as, first) / count[:, None]
    last = real[first + count - 1]
    room = np.minimum(place[real[first]], sizes[window_of[last]] - 1 - place[last])  # tokens to the nearer edge
    order = np.lexsort((-room, word[first]))
    seen, best = np.unique(word[first][order], return_index=True)
    return seen, _log_softmax(mean[order[best]])


def _best_paths(scores: Floats, sentence: Ids) -> Ids:
    """``best_path`` of each sentence; ``sentence``, in order, has its number for each word."""
    path: Ids = scores.argmax(axis=1)  # the unconstrained best is the constrained best where it keeps the rule, as it nearly always does
    before = np.where(np.diff(sentence, prepend=-1), 0, np.roll(path, 1))
    wrong = _is_inside(path) & (before != path) & (before != path - 1)
    for number in np.unique(sentence[wrong]):
        begin, end = np.searchsorted(sentence, (number, number + 1))
        path[begin:end] = best_path(scores[begin:end])
    return path


def best_path(scores: Floats) -> Ids:
    """The tag ids, (n,), of the highest-scoring path through (n, tags) log-probabilities in which each I-X follows B-X or I-X (Viterbi)."""
    path: Ids = np.zeros(len(scores), dtype=np.int64)
    allowed = np.where(_allowed(scores.shape[1]), 0.0, -np.inf)
    start = np.where(np.isfinite(allowed[0]), 0.0, -np.inf)
    total = scores[0] + start
    back = np.zeros(scores.shape, dtype=np.int64)
    for i in range(1, len(scores)):
        candidates = total[:, None] + allowed
        back[i] = candidates.argmax(axis=0)
        total = candidates.max(axis=0) + scores[i]
    path[-1] = total.argmax()
    for i in range(len(scores) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path


def _is_inside(tags: Ids) -> Bools:
    inside: Bools = (tags > 0) & (tags % 2 == 0)
    return inside


def _allowed(count: int) -> Bools:
    """(from, to): whether a tag may follow another; what may follow ``O`` may also begin a sentence."""
    tags = np.arange(count)
    allowed: Bools = ~_is_inside(tags)[None, :] | (tags[:, None] == tags[None, :]) | (tags[:, None] == tags[None, :] - 1)
    return allowed


def _runs(path: Ids) -> list[Range]:
    """Ranges of a valid path that are one span each."""
    starts = np.flatnonzero(path % 2 == 1)
    outside = np.flatnonzero((path == 0) | (path % 2 == 1))
    ends = np.append(outside, len(path))[np.searchsorted(outside, starts, side="right")]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _log_softmax(scores: Floats) -> Floats:
    shifted = scores - scores.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result

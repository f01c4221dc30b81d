"""Documents in, Predictions out: sentences batched by length, read by one engine or another, decoded and put back in order.

While the engine computes some sentences, the next are tokenized and the ones before decoded. Torch is imported where it is the engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from .encoding import Encoding, Floats, Ids, Outputs, decode_all, encode, first_words, word_scores
from .errors import UserError
from .labels import NUMBER, Schema
from .numerals import value_of
from .records import Article, Claim, PredictedSentence, Prediction, Range, Span
from .text import sentences, words

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

    from .modeling import GozarehModel

PUBLISHED = Path(__file__).parent / "published" / "compact"
LONGEST = 10_000  # words: more than that are no sentence
_MOST_CHARACTERS = 200_000  # nor are so many in however few words
_USUAL = 64  # tokens of a sentence: the budget of a batch_size is so many times as many
_CHUNK = 100_000  # characters of sentences that are read at once: about a thousand, enough to batch well, few enough to see results soon
_ITEM = 200  # what a sentence costs beside its characters, so that a million empty documents are bounded too
_DECIMALS = 4

Item = TypeVar("Item")
_Chunk = list[tuple[Article, Range | None]]  # see _chunks


class Engine(Protocol):
    """What computes the network: (rows, tokens) ids and mask -> (rows, tokens, tags) and (rows, claims) logits, None without that head.

    ``budget``: how many tokens, padding included, it reads best at a time.
    """

    budget: int

    def submit(self, input_ids: Ids, attention_mask: Ids) -> Future[Outputs]:
        """Compute a batch, at once or on a thread of its own."""


class Reading(Protocol):
    """How a model reads: tokens a window (special ones included), tokens windows share, the score under which no claim is given."""

    @property
    def window(self) -> int: ...
    @property
    def overlap(self) -> int: ...
    @property
    def claim_threshold(self) -> float: ...


def load(name: str | Path = PUBLISHED, device: str = "auto", engine: str = "auto") -> Predictor:
    """Load a published model: a folder, or a hub name.

    ``device``: auto (a GPU if there is one), cpu, cuda or cuda:N. ``engine``: torch, onnx (on the CPU, from the folder's ONNX graph), or
    auto, which is onnx where onnxruntime is installed, the folder has a graph and the device is a CPU. Raises UserError, one line that
    says what to do, for anything that is not a whole model of this kind.
    """
    from .engines import open_model  # noqa: PLC0415 - see the module's docstring

    return Predictor(*open_model(name, device, engine))


class Predictor:
    """Reads documents with one model. Made by ``load`` or, around a network in memory, by ``Predictor.of``."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, schema: Schema, reading: Reading) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.schema = schema
        self.reading = reading

    @classmethod
    def of(cls, model: GozarehModel, tokenizer: PreTrainedTokenizerBase, reading: Reading) -> Predictor:
        """A predictor around a network, which stays where it is and is put into evaluation mode."""
        from .torch_engine import TorchEngine  # noqa: PLC0415 - see the module's docstring

        return cls(TorchEngine(model), tokenizer.backend_tokenizer, model.schema, reading)

    def predict(self, documents: Iterable[str | Article], batch_size: int | None = None) -> Iterator[Prediction]:
        """Predictions of documents, in their order, while the documents are still being read: memory does not grow with their number.

        A string is read whole and named by its place ("1", "2", …); of an Article only the body is read, its offsets being into the whole
        text. ``batch_size`` counts sentences of usual length (64 tokens) in one pass of the network; by default the engine's own. Raises
        UserError for a sentence of more than 10,000 words or 200,000 characters and for text that is not Unicode, TypeError for what is no
        document.
        """
        if isinstance(documents, str | Article):
            raise TypeError("predict takes an iterable of documents: put a single one into a list")
        return self._predict(documents, batch_size)

    def _predict(self, documents: Iterable[str | Article], batch_size: int | None) -> Iterator[Prediction]:
        articles = (as_article(document, str(number)) for number, document in enumerate(documents, 1))
        chunks = ((chunk, self._start([a.text[slice(*where)] for a, where in chunk if where], batch_size)) for chunk in _chunks(articles))
        read: list[PredictedSentence] = []
        held: deque[tuple[_Chunk, _Started]] = deque()
        try:
            for chunk, started in _one_ahead(chunks, held):
                results = iter(self._finish(started))
                for article, where in chunk:
                    if where:
                        read.append(_placed(next(results), where[0]))
                    else:
                        yield Prediction(article.id, article.text, tuple(read))
                        read = []
        finally:  # after Ctrl-C, say, the engine's threads would read on, and Python waits for them
            for _, started in held:
                started.cancel()

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> list[PredictedSentence]:
        """Read each text as one sentence, all at once; offsets are into the sentence."""
        return self._finish(self._start(texts, batch_size))

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[list[Range], Floats]]:
        """Of each text, read as one sentence: the words that have tokens, and the probabilities of their BIO tags, (words, tags)."""
        started = self._start(texts, None)
        encodings = started.encodings
        seen, scores = word_scores(encodings, [logits for logits, _ in started.outputs()], self.schema)
        edges = np.searchsorted(seen, [*first_words(encodings), np.inf])
        found = {}
        for encoding, first, (begin, end) in zip(encodings, first_words(encodings), pairwise(edges), strict=True):
            found[encoding.text] = [encoding.words[i] for i in seen[begin:end] - first], np.exp(scores[begin:end])
        return [found[text] for text in texts]

    def _start(self, texts: Sequence[str], batch_size: int | None) -> _Started:
        """Tokenize texts and hand them to the engine, alike ones once."""
        encodings = encode(self.tokenizer, list(dict.fromkeys(texts)), self.reading.window, self.reading.overlap)
        rows = [window.input_ids for encoding in encodings for window in encoding.windows]
        budget = self.engine.budget if batch_size is None else batch_size * _USUAL
        started = _Started(texts, encodings, [])
        try:
            for batch in _batches(list(map(len, rows)), budget):
                started.batches.append((batch, self.engine.submit(*_pad([rows[i] for i in batch]))))
        except BaseException:
            started.cancel()
            raise
        return started

    def _finish(self, started: _Started) -> list[PredictedSentence]:
        encodings, outputs = started.encodings, started.outputs()
        spans = decode_all(encodings, [logits for logits, _ in outputs], self.schema)
        claims = self._claims(encodings, [claim for _, claim in outputs if claim is not None])
        read = {}
        for encoding, found, claim in zip(encodings, spans, claims, strict=True):
            text = encoding.text
            read[text] = PredictedSentence(0, len(text), text, claim, tuple(_finished(span, text) for span in found))
        return [read[text] for text in started.texts]

    def _claims(self, encodings: Sequence[Encoding], logits: Sequence[Floats]) -> list[Claim] | list[None]:
        """Of each sentence, by the mean of its windows' probabilities; ``logits`` has a row a window, or nothing without that head."""
        if not len(logits):
            return [None] * len(encodings)
        counts = np.array([len(encoding.windows) for encoding in encodings])
        means = np.add.reduceat(_softmax(np.stack(logits)), np.cumsum(counts) - counts) / counts[:, None]
        return [self._claim(mean) for mean in means.tolist()]

    def _claim(self, mean: Sequence[float]) -> Claim:
        scores = {label: round(score, _DECIMALS) for label, score in zip(self.schema.claims, mean, strict=True)}
        best = max(mean)
        label = self.schema.claims[mean.index(best)]
        return Claim(label if best >= self.reading.claim_threshold else None, scores[label], scores)


@dataclass(frozen=True)
class _Started:
    """Texts that the engine is reading: an encoding for each that is different, and batches, the rows of each by their number."""

    texts: Sequence[str]
    encodings: Sequence[Encoding]
    batches: list[tuple[Sequence[int], Future[Outputs]]]

    def outputs(self) -> list[Outputs]:
        """Each window's logits, (tokens, tags) and (claims,) or None, when the engine has them all."""
        of: dict[int, Outputs] = {}
        for batch, future in self.batches:
            logits, claims = future.result()
            for row, i in enumerate(batch):
                of[i] = logits[row], None if claims is None else claims[row]
        return [of[i] for i in range(len(of))]

    def cancel(self) -> None:
        """Give up the batches that the engine has not begun."""
        for _, future in self.batches:
            future.cancel()


def as_article(document: str | Article | Mapping[str, str], id: str) -> Article:
    """A document as an Article; a string is all body and gets the id, a mapping has a ``text`` and may have an ``id``.

    Raises TypeError for anything else and UserError for half a surrogate pair, which no tokenizer and no file takes.
    """
    if isinstance(document, Mapping) and isinstance(document.get("text"), str):
        given, document = document.get("id"), document["text"]
        id = id if given is None else str(given)
    if isinstance(document, str):
        document = Article(id, document, ((0, len(document)),))
    if not isinstance(document, Article):
        raise TypeError(f"document {id}: a {type(document).__name__}, neither a text nor an Article")
    try:
        document.text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"document {document.id}, character {error.start}: half a surrogate pair; decode the text again") from None
    return document


def split(article: Article) -> list[Range]:
    """Ranges of the sentences of an article's body. Raises UserError for one of more than 10,000 words or 200,000 characters."""
    found = sentences(article.text, article.body)
    for start, end in found:
        if end - start > LONGEST and (excess := _excess(article.text[start:end])):
            raise UserError(f"document {article.id}, character {start}: a sentence of {excess}; break the text into lines")
    return found


def _excess(sentence: str) -> str | None:
    """What there is so much of that it is no sentence."""
    if len(sentence) > _MOST_CHARACTERS:
        return f"{len(sentence)} characters, over {_MOST_CHARACTERS}"
    count = len(words(sentence))
    return f"{count} words, over {LONGEST}" if count > LONGEST else None


def _chunks(articles: Iterable[Article]) -> Iterator[_Chunk]:
    """The sentences of articles, in order, in lists of bounded size; None stands for the end of an article."""
    chunk: _Chunk = []
    size = 0
    for article in articles:
        for where in (*split(article), None):
            chunk.append((article, where))
            size += _ITEM + (where[1] - where[0] if where else 0)
            if size >= _CHUNK:
                yield chunk
                chunk, size = [], 0
    if chunk:
        yield chunk


def _one_ahead(items: Iterable[Item], held: deque[Item]) -> Iterator[Item]:
    """The items, each after the next has been made; ``held`` has those made, until the one that was given is done with."""
    for item in items:
        held.append(item)
        if len(held) > 1:
            yield held[0]
            held.popleft()
    while held:
        yield held[0]
        held.popleft()


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of rows, longest first so that memory is known at once, in batches of at most ``budget`` tokens (or one row) when padded."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _pad(rows: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Rows of ids as one array, padded with noughts to the longest, and its mask: 1 where there is a token."""
    shape = len(rows), max(map(len, rows))
    input_ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for i, row in enumerate(rows):
        input_ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return input_ids, mask


def _finished(span: Span, text: str) -> Span:
    """A decoded span with a rounded score and, for a NUMBER, its meaning."""
    value, unit = (value_of(span.text, text[span.end :], text[: span.start]) if span.label == NUMBER else None) or (None, None)
    return Span(span.label, span.start, span.end, span.text, round(span.score, _DECIMALS), value, unit)


def _placed(sentence: PredictedSentence, start: int) -> PredictedSentence:
    """A sentence in the document where it begins at ``start``."""
    if not start:
        return sentence
    return replace(sentence, start=start, end=start + sentence.end, spans=tuple(span.shifted(start) for span in sentence.spans))


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(np.asarray(logits, dtype=np.float64) - logits.max(axis=-1, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return result

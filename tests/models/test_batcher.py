"""The batcher: what is read together, in what order, and what stays with the request that it is about."""

import json
import threading

import pytest

from models.batcher import FULL, Batcher
from models.errors import UserError
from models.records import Article, Prediction


class Echo:
    """A predictor that finds nothing, keeps account of what it was given, and can be held up. It reads all before it answers, as a chunk
    of the real one's is.
    """

    def __init__(self):
        self.batches = []
        self.go = threading.Event()
        self.go.set()
        self.busy = threading.Semaphore(0)  # one up for each batch that has begun

    def predict(self, documents):
        documents = list(documents)
        self.batches.append([document.id for document in documents])
        self.busy.release()
        assert self.go.wait(30)
        for document in documents:
            if document.text == "bad":
                raise UserError(f"document {document.id}: bad")
            if document.text == "worse":
                raise ZeroDivisionError
            if document.text == "worst":
                raise BaseException("panic")  # as the tokenizers library does
        return iter([Prediction(document.id, document.text) for document in documents])


def articles(*ids, text="بله."):
    return [Article(id, text, ((0, len(text)),)) for id in ids]


def ids(future):
    return [json.loads(line)["id"] for line in future.result(30)]


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
def batcher(echo):
    batcher = Batcher(echo)
    yield batcher
    echo.go.set()
    batcher.close(30)


@pytest.fixture
def held(echo, batcher):
    """The batcher at work on a first request, with the predictor held up."""
    echo.go.clear()
    first = batcher.submit(articles("first"))
    assert echo.busy.acquire(timeout=30)
    return first


def test_what_waits_is_read_together_and_given_back_apart(batcher, echo, held):
    futures = [batcher.submit(articles(*names)) for names in ("ab", "", "c", "ab")]
    echo.go.set()
    assert [ids(future) for future in (held, *futures)] == [["first"], ["a", "b"], [], ["c"], ["a", "b"]]
    assert echo.batches == [["first"], ["a", "b", "c", "a", "b"]]


def test_a_batch_is_no_larger_than_it_need_be(batcher, echo, held):
    futures = [batcher.submit(articles(str(i), text="ب" * (FULL // 2))) for i in range(5)]
    echo.go.set()
    assert [ids(future) for future in futures] == [["0"], ["1"], ["2"], ["3"], ["4"]]
    assert echo.batches[1:] == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize(("text", "kind"), [("bad", UserError), ("worse", ZeroDivisionError), ("worst", RuntimeError)])
def test_what_goes_wrong_stays_with_its_request(batcher, echo, held, text, kind):
    good, bad, last = batcher.submit(articles("a", "b")), batcher.submit(articles("x", text=text)), batcher.submit(articles("c"))
    echo.go.set()
    assert (ids(good), ids(last)) == (["a", "b"], ["c"])
    with pytest.raises(kind):
        bad.result(30)
    assert ids(batcher.submit(articles("next"))) == ["next"]


def test_what_was_cancelled_is_not_read(batcher, echo, held):
    gone, kept = batcher.submit(articles("gone")), batcher.submit(articles("kept"))
    assert gone.cancel()
    echo.go.set()
    assert ids(kept) == ["kept"]
    assert echo.batches == [["first"], ["kept"]]


def test_closing_finishes_what_was_taken_and_takes_no_more(batcher, echo, held):
    waiting = batcher.submit(articles("a"))
    batcher.close(0)
    assert not batcher.ready
    with pytest.raises(RuntimeError):
        batcher.submit(articles("b"))
    echo.go.set()
    batcher.close()
    assert (ids(held), ids(waiting)) == (["first"], ["a"])


def test_batches_are_reported():
    seen = []
    batcher = Batcher(Echo(), report=lambda *counts: seen.append(counts))
    ids(batcher.submit(articles("a", "b")))
    batcher.close()
    assert seen == [(1, 2)]

"""The seeds as they came: every gold record is right to the character, is found in its article, and is what the splitter gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotate.articles import read_articles, sentences_of
from models.labels import CLAIMS, NO_CLAIM, SPAN_TYPES
from models.records import Example, read_examples
from models.text import sentences

SEEDS = Path(__file__).parents[1] / "seeds"
ARTICLES = {article.id: article for article in read_articles([SEEDS / "articles"])}
GOLD = read_examples(SEEDS / "gold.jsonl")


def gold_of(article: str) -> list[Example]:
    return [example for example in GOLD if example.article == article]


def test_there_are_five_articles_and_gold_for_each() -> None:
    assert len(ARTICLES) == 5
    assert {example.article for example in GOLD} == set(ARTICLES)
    assert len({example.id for example in GOLD}) == len(GOLD)


@pytest.mark.parametrize("line", (SEEDS / "gold.jsonl").read_text(encoding="utf-8").splitlines())
def test_a_gold_record_is_valid(line: str) -> None:
    record = json.loads(line)
    assert set(record) == {"id", "text", "entities", "claim"}
    assert record["claim"] in (*CLAIMS, NO_CLAIM)
    after = 0
    for entity in record["entities"]:
        assert entity["label"] in SPAN_TYPES
        assert after <= entity["start"] < entity["end"]
        assert record["text"][entity["start"] : entity["end"]] == entity["text"] == entity["text"].strip()
        after = entity["end"]


@pytest.mark.parametrize("article", sorted(ARTICLES))
def test_gold_is_located_in_its_article_in_order(article: str) -> None:
    after = 0
    for number, example in enumerate(gold_of(article), 1):
        assert example.id == f"{article}-{number:03d}"
        start = ARTICLES[article].text.find(example.text, after)
        assert start >= after, example.id
        after = start + len(example.text)


@pytest.mark.parametrize("article", sorted(ARTICLES))
def test_the_splitter_gives_the_gold_sentences_of_the_whole_file(article: str) -> None:
    text = ARTICLES[article].text
    assert [text[start:end] for start, end in sentences(text)] == [example.text for example in gold_of(article)]


@pytest.mark.parametrize("article", sorted(ARTICLES))
def test_the_body_holds_every_gold_sentence_but_furniture_and_repeats(article: str) -> None:
    found = [sentence.text for sentence in sentences_of(ARTICLES[article])]
    gold = {example.text: example for example in gold_of(article)}
    assert len(found) == len(set(found))
    assert set(found) <= set(gold)
    left_out = [gold[text] for text in gold.keys() - set(found)]
    assert {(example.claim, example.spans) for example in left_out} <= {(NO_CLAIM, ())}


def test_a_heading_without_a_claim_is_no_furniture() -> None:
    kept = {sentence.text for article in ARTICLES.values() for sentence in sentences_of(article)}
    assert [example.text for example in GOLD if example.claim == NO_CLAIM and example.text in kept] == ["با دستور رئیس جمهور صورت گرفت:"]

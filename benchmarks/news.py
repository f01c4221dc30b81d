"""The news that all benchmarks read, whole or in pieces: the seed articles."""

from __future__ import annotations

from models.text import sentences

from .machine import ROOT


def seed_articles() -> list[str]:
    """Their texts, in the order of the files' names."""
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / "seeds/articles").glob("*.txt"))]


def seed_sentences() -> list[str]:
    """Their sentences, as they are."""
    return [text[start:end] for text in seed_articles() for start, end in sentences(text, ((0, len(text)),))]

"""``python -m annotate``: articles in, weak labels and the labelling functions' report out."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from datasets import disable_progress_bars  # type: ignore[attr-defined]

from models import files, settings
from models.errors import ArgumentParser, UserError, command
from models.records import Article, Example, read_examples, write_examples
from models.settings import AnnotateSettings, Settings
from models.text import fold

from . import label_model, publish, report
from .articles import check_apart, read_articles, sentences_of
from .functions.base import any_of
from .label_model import Ballot
from .reviews import read_reviews, reviewed
from .voting import sentences_of_examples, vote


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Label articles; see ``--help``. Returns 0, or 2 after a mistake of the user's, with one line on standard error."""
    arguments = _arguments(argv)
    all_settings = settings.load(arguments.config, arguments.overrides)
    run = all_settings.annotate
    if not arguments.output:
        _check_own(Path(run.output), all_settings.name, Path(arguments.config))
    output = Path(arguments.output or run.output)
    gold_path = arguments.gold or run.gold
    _check_output(output, [*filter(None, [gold_path]), *run.reviews])
    check_apart(output, arguments.articles or run.articles)
    if arguments.publish:
        publish.check_place(Path(arguments.publish))  # before all the work
    gold = read_examples(gold_path) if gold_path else []
    reviews = read_reviews(run.reviews)

    articles = select(arguments.articles or run.articles, run)
    ballots = [ballot for article in _counted(articles) for ballot in vote(list(sentences_of(article)))]
    if not ballots:
        raise UserError("annotate.articles: no sentence to label, page furniture alone; name others")
    model = label_model.fit(run.label_model, ballots)
    read = {article.id: article for article in articles}
    origins = [read[ballot.sentence.article] for ballot in ballots]
    labelled = [label_model.example(ballot, model) for ballot in ballots]
    examples = [replace(e, source=o.source, licence=o.licence) for e, o in zip(labelled, origins, strict=True)]
    examples = [reviewed(example, reviews, run.review_weight) for example in examples]
    write_examples(output, examples)
    print(f"{output}: {len(examples)} sentences of {len(articles)} articles", file=sys.stderr)

    unread = _votes_on_unread(gold, articles)
    rows = report.function_rows([*ballots, *unread], gold, label_model.learned([*ballots, *unread], model))
    scores = report.gold_scores(gold, [*examples, *(label_model.example(ballot, model) for ballot in unread)]) if gold else None
    report.write_report(output.with_name(report.FILE), rows, len(ballots) + len(unread), scores)
    print(report.table(rows, scores))
    if arguments.publish:
        _publish(Path(arguments.publish), examples, gold, all_settings, unlicensed=arguments.publish_unlicensed)
    return 0


def _arguments(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m annotate", description="Label articles with the rules and combine the rules' votes.")
    parser.add_argument("--config", required=True, metavar="FILE", help="the run's YAML, for instance configs/compact.yaml")
    parser.add_argument(
        "--articles", nargs="+", action="extend", metavar="PATH", help="files (.txt, .jsonl, .html) or folders, in place of the config's"
    )
    parser.add_argument("--output", metavar="FILE", help="weak labels as JSONL, in place of the config's; annotation.json goes beside them")
    parser.add_argument("--gold", metavar="FILE", help="hand labels to measure on, in place of the config's")
    parser.add_argument("--publish", metavar="FOLDER", help="write the labels there too, as a data set that datasets.load_dataset opens")
    parser.add_argument(
        "--publish-unlicensed",
        action="store_true",
        help="with --publish: also the text of articles that state no licence, left out otherwise",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change, such as annotate.limit=100")
    arguments = parser.parse_args(argv)
    if arguments.publish_unlicensed and not arguments.publish:
        parser.error("--publish-unlicensed goes with --publish FOLDER")
    return arguments


def _check_own(output: Path, name: str, config: Path) -> None:
    """Raises UserError for labels in another run's folder: a student reads its teacher's, and its own settings would make other ones."""
    other = next((folder.name for folder in output.resolve().parents if folder.parent == Path("runs").resolve()), name)
    if other != name:
        by = config.with_name(f"{other}.yaml")
        raise UserError(f"annotate.output: {output} belongs to another run; label it by {by}, or give --output")


def _check_output(output: Path, labels: Sequence[str]) -> None:
    """Raises UserError for a place that is no file's, or that the report or labels which are read have."""
    if output.is_dir():
        raise UserError(f"{output}: is a folder; name a file for the labels")
    if output.name == report.FILE:
        raise UserError(f"{output}: is where the report goes; name another file for the labels")
    files.check_apart(output, labels)


def _publish(folder: Path, examples: Sequence[Example], gold: Sequence[Example], run: Settings, *, unlicensed: bool) -> None:
    disable_progress_bars()
    splits = publish.split(examples, gold, unlicensed=unlicensed)
    publish.publish(splits, folder, name=run.name, label_model=run.annotate.label_model)
    sizes = ", ".join(f"{name} {len(chosen)}" for name, chosen in splits.examples.items())
    left_out = f"; {splits.unlicensed} articles without a stated licence left out" if splits.unlicensed else ""
    print(f"{folder}: published, sentences: {sizes}{left_out}", file=sys.stderr)


def select(paths: Sequence[str], run: AnnotateSettings) -> list[Article]:
    """The articles of files and folders that the settings' ``licences``, ``exclude``, ``topic`` and ``limit`` leave.

    Raises UserError if that is none, or if two articles have one id.
    """
    if not paths:
        raise UserError(
            "annotate.articles: none are named; what 'data.train' names is labelled already: run `python -m train --config FILE`"
        )
    chosen: dict[str, Article] = {}
    for path in paths:
        left = [
            article
            for article in read_articles([path])
            if article.id not in run.exclude and (not run.licences or article.licence is None or article.licence.startswith(run.licences))
        ]
        on_topic = [article for article in left if run.topic and _mentions(article, run.topic)]
        known = {article.id for article in on_topic}
        for article in (*on_topic, *_spread(sorted((a for a in left if a.id not in known), key=lambda a: a.id), run.limit)):
            if article.id in chosen:
                raise UserError(f"{path}: id '{article.id}' is taken by an article of another path; give each its own id")
            chosen[article.id] = article
    if not chosen:
        raise UserError(f"annotate.articles: no article is left of {', '.join(paths)}; name more, or loosen licences and exclude")
    return list(chosen.values())


def _mentions(article: Article, words: Sequence[str]) -> bool:
    """Whether an article holds one of the words, whatever its letters' form and its ZWNJ."""
    return re.search(any_of(words), fold(article.text).text) is not None


def _spread(articles: Sequence[Article], limit: int) -> list[Article]:
    """At most ``limit`` of the articles at even distances; 0 is no limit."""
    if not 0 < limit < len(articles):
        return list(articles)
    return [articles[i * len(articles) // limit] for i in range(limit)]


def _counted(articles: Sequence[Article]) -> Iterator[Article]:
    """The articles, with a running count on a terminal."""
    for number, article in enumerate(articles, 1):
        if sys.stderr.isatty():
            print(f"\r{number} of {len(articles)} articles", end="\n" if number == len(articles) else "", file=sys.stderr)
        yield article


def _votes_on_unread(gold: Sequence[Example], articles: Sequence[Article]) -> list[Ballot]:
    """Votes on gold whose article is not among those labelled: the gold's sentences stand for it."""
    read = {article.id for article in articles}
    unread = [example for example in gold if example.article not in read]
    return [ballot for sentences in sentences_of_examples(unread) for ballot in vote(sentences)]


if __name__ == "__main__":
    sys.exit(main())

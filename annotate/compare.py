"""``python -m annotate.compare --config FILE``: what each set of labelling functions and each label model reads in gold's sentences.

It is written for ``python -m train.compare``, which scores it beside the students: JSONL, a weak label a line with one more field, the
``system`` that gave it. Gold's own labels are not looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from models import files, settings
from models.errors import ArgumentParser, UserError, command
from models.records import Example, Sentence, read_examples

from . import label_model
from .__main__ import select
from .articles import check_apart, sentences_of
from .functions import ClaimFunction, SpanFunction, claims, numbers, persons, programs, roles
from .label_model import Ballot
from .voting import sentences_of_examples, vote

SPAN_SETS = {"persons": persons.FUNCTIONS, "roles": roles.FUNCTIONS, "numbers": numbers.FUNCTIONS, "programs": programs.FUNCTIONS}
LABEL_MODELS = ("majority", "dawid-skene", "hmm")


def readings(ballots: Sequence[Ballot], asked: Sequence[Sequence[Sentence]]) -> Iterator[tuple[str, list[Example]]]:
    """Each system's name and its weak labels of the sentences ``asked``, article by article.

    A set of functions votes alone, by majority; the label models see all votes, and are fitted to ``ballots`` and to those votes on
    ``asked`` that are of none of the ballots' articles.
    """
    majority = label_model.fit("majority", [])

    def alone(spans: Sequence[SpanFunction], claim: Sequence[ClaimFunction]) -> list[Example]:
        return [label_model.example(ballot, majority) for article in asked for ballot in vote(article, spans, claim)]

    for name, functions in SPAN_SETS.items():
        yield name, alone(functions, ())
    yield "claims", [replace(example, spans=None) for example in alone((), claims.FUNCTIONS)]

    voted = [ballot for article in asked for ballot in vote(article)]
    known = {ballot.sentence.article for ballot in ballots}
    everything = [*ballots, *(ballot for ballot in voted if ballot.sentence.article not in known)]
    for name in LABEL_MODELS:
        model = label_model.fit(name, everything)
        yield name, [label_model.example(ballot, model) for ballot in voted]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Write what each system reads; see ``--help``."""
    parser = ArgumentParser(prog="python -m annotate.compare", description="Let each set of rules and each label model read gold's text.")
    parser.add_argument("--config", required=True, metavar="FILE", help="the run's YAML, for instance configs/compact.yaml")
    parser.add_argument("--gold", action="append", default=[], metavar="FILE", help="more hand labels, beside the config's; repeatable")
    parser.add_argument("--output", type=Path, metavar="FILE", help="in place of runs/NAME/rules.jsonl")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change, such as annotate.limit=100")
    options = parser.parse_args(argv)
    run = settings.load(options.config, options.overrides)
    gold = [*filter(None, [run.annotate.gold]), *options.gold]
    if not gold:
        raise UserError(f"{options.config}: no gold to read; name it with 'annotate.gold' or --gold")
    output = options.output or run.folder / "rules.jsonl"
    files.check_apart(output, gold)
    check_apart(output, run.annotate.articles)
    asked = [article for path in gold for article in sentences_of_examples(read_examples(path))]
    ballots = [ballot for article in select(run.annotate.articles, run.annotate) for ballot in vote(list(sentences_of(article)))]
    with files.write_whole(output) as out:
        for system, examples in readings(ballots, asked):
            out.writelines(files.to_json({"system": system} | example.to_dict()) + "\n" for example in examples)
    print(f"{output}: {sum(map(len, asked))} sentences of {', '.join(gold)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

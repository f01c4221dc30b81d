"""``python -m train.compare --config FILE``: rules, label models and students in one table, each on sentences it has not seen.

``python -m annotate.compare`` writes beforehand what the rules and the label models read. The students are trained here, once a seed: on
weak labels, on the gold of the run's articles, and on both. Each article of that gold is read by students trained on the others; further
gold (``--gold``) by students trained on all of them, the checkpoint chosen as in any run. A student that was trained once is not trained
again: what it read is kept in ``runs/NAME/comparison/``.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar

from models import files, settings
from models.errors import ArgumentParser, UserError, at_least, command
from models.labels import SPAN_TYPES
from models.predictor import Predictor, load
from models.records import Example, PredictedSentence, read_examples
from models.scoring import MICRO
from models.settings import Settings

from .bootstrap import DRAWS, claim_counts, gain, span_counts
from .cross_validate import SEEDS, Read, check_untrained, left_out, summary, train_and_read
from .dataset import split_by_article, trusted, written
from .evaluate import markdown, score
from .processes import check_alone
from .readings import AGAIN, Rules, kept

CLAIM = "claim"
COLUMNS = (  # heading, the figure's name, and what a system must have given at least once for the figure to say anything
    *((label, f"{label} F1", label) for label in SPAN_TYPES),
    ("all spans", "micro F1", MICRO),
    ("partial", "partial micro F1", MICRO),
    ("claim accuracy", "claim accuracy", CLAIM),
    ("claim macro-F1", "claim macro-F1", CLAIM),
    ("calibration error", "calibration error", CLAIM),
)
GAINS = {"span micro-F1": span_counts, "claim macro-F1": claim_counts}

log = logging.getLogger(__name__)

Readings = Sequence[Sequence[PredictedSentence]]  # of the same sentences, once a seed


@dataclass(frozen=True)
class Comparison:
    """Systems on the same gold: ``rows`` are their readings by name, ``learned`` the rows whose gain over the row ``baseline`` is asked."""

    title: str
    gold: Sequence[Example]
    rows: Mapping[str, Readings]
    learned: Sequence[str]
    baseline: str

    @cached_property
    def reports(self) -> dict[str, list[dict[str, Any]]]:
        """A report a seed of each system; see ``evaluate.score``."""
        return {name: [score(self.gold, read) for read in seeds] for name, seeds in self.rows.items()}

    @cached_property
    def gains(self) -> dict[str, dict[str, dict[str, float]]]:
        """By system and figure, the paired bootstrap's gain over the baseline."""
        counts = {
            figure: {name: [count(self.gold, read) for read in self.rows[name]] for name in (self.baseline, *self.learned)}
            for figure, count in GAINS.items()
        }
        return {
            name: {figure: dataclasses.asdict(gain(of[name], of[self.baseline])) for figure, of in counts.items()} for name in self.learned
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        rows = {name: summary(reports) | {"seeds": reports} for name, reports in self.reports.items()}
        return {"gold": self.title, "sentences": len(self.gold), "rows": rows, "baseline": self.baseline, "gains": self.gains}

    def to_markdown(self) -> str:
        """Two tables: the systems' figures and the gains. A dash: the system gives nothing of the kind."""
        rows = [(f"{self.title}: {len(self.gold)} sentences", *(heading for heading, _, _ in COLUMNS))]
        rows += [(name, *_cells(reports)) for name, reports in self.reports.items()]
        head = (f"gain over {self.baseline}, {DRAWS:,} draws", *(part for figure in GAINS for part in (figure, "above 0")))
        gains = [(name, *(part for figure in GAINS for part in _gain_cells(of[figure]))) for name, of in self.gains.items()]
        return f"{markdown(rows)}\n\n{markdown([head, *gains])}"


def _cells(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    given = {label for report in reports for label, of in report["spans"].items() if of["predicted"]}
    given |= {CLAIM for report in reports if report["claims"]["count"]}
    mean, spread = summary(reports).values()
    several = len(reports) > 1
    return [f"{mean[f]:.3f}" + f" ± {spread[f]:.3f}" * several if needed in given else "–" for _, f, needed in COLUMNS]


def _gain_cells(found: Mapping[str, float]) -> tuple[str, str]:
    return f"{found['mean']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})", f"{100 * found['above']:.1f} %"


def lessons(weak: Sequence[Example], gold: Sequence[Example]) -> dict[str, list[Example]]:
    """What each student learns from, by the student's name, besides what the run has of written sentences. Where a sentence has both
    labels, gold's goes before the weak one.
    """
    by_hand = {(example.article, example.text): example for example in gold}
    met = {(example.article, example.text) for example in weak}
    both = [by_hand.get((example.article, example.text), example) for example in weak]
    both += [example for example in gold if (example.article, example.text) not in met]
    return {"student on weak labels": list(weak), "student on gold": list(gold), "student on both": both}


def on_unseen(
    run: Settings, examples: Sequence[Example], unseen: Sequence[Example], seeds: int, read: Read
) -> list[list[PredictedSentence]]:
    """Each seed's reading of ``unseen`` by a student of all ``examples``, those of its articles aside; the run's split chooses it.

    Raises UserError as ``check_untrained``.
    """
    check_untrained(run)
    measured = {example.article for example in unseen}
    others = [example for example in examples if example.article not in measured]
    articles = {example.article for example in others}
    training, held_out = split_by_article(others, [article for article in run.train.held_out if article in articles])
    lesson = [*training, *written(run)]
    return [read(run.reseeded(number), lesson, trusted(held_out), unseen) for number in range(seeds)]


def compare(
    run: Settings,
    rules: Rules,
    gold: Mapping[str, Sequence[Example]],
    published: Mapping[str, Sequence[Predictor]],
    seeds: int,
    read: Read,
) -> list[Comparison]:
    """A comparison for each file of gold. The first is that of the articles that students are trained on, an article left out in turn.

    Raises UserError for too few articles, for readings or labels that are missing, and for a published name that a row has.
    """
    (own, seen), *further = gold.items()
    baseline = run.annotate.label_model
    if baseline not in rules.systems:
        raise UserError(f"{rules.path}: no readings of the run's label model, {baseline}; {AGAIN}")
    rows: dict[str, dict[str, Readings]] = {
        path: {system: [reading] for system, reading in rules.read(examples, path).items()} for path, examples in gold.items()
    }
    unseen = [example for _, examples in further for example in examples]
    taught = lessons(read_examples(run.annotate.output), seen)
    if taken := published.keys() & {*rules.systems, *taught}:
        raise UserError(f"--model: '{min(taken)}' is a row of the table already; give the model another name")
    for name, lesson in taught.items():
        log.info("%s, %d sentences", name, len(lesson))
        rows[own][name] = left_out(run, lesson, seen, seeds, read)
        readings = [iter(reading) for reading in on_unseen(run, lesson, unseen, seeds, read)] if unseen else []
        for path, part in further:
            rows[path][name] = [[next(reading) for _ in part] for reading in readings]
    for name, predictors in published.items():
        for path, examples in gold.items():
            row = f"{name}, nothing left out" if path == own else name
            rows[path][row] = [predictor.read([example.text for example in examples]) for predictor in predictors]
    titles = {path: Path(path).name + ", one article left out" * (path == own) for path in gold}
    return [
        Comparison(titles[path], gold[path], of, [name for name in of if name not in rules.systems], baseline) for path, of in rows.items()
    ]


def _published(options: Sequence[str]) -> dict[str, list[Predictor]]:
    """The models of ``NAME=FOLDER`` options, by name. Raises UserError for another form and for a folder that is no model."""
    found: dict[str, list[Predictor]] = {}
    for option in options:
        name, equals, folder = option.partition("=")
        if not (name and equals and folder):
            raise UserError(f"--model: '{option}' is not NAME=FOLDER")
        found.setdefault(name, []).append(load(folder))
    return found


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print the tables and write ``comparison.json`` and ``comparison.md`` in ``runs/NAME/``."""
    parser = ArgumentParser(prog="python -m train.compare", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's YAML file")
    parser.add_argument("--seeds", type=at_least(1), default=SEEDS, help="how many students of each kind (default %(default)s)")
    parser.add_argument("--gold", action="append", default=[], metavar="FILE", help="more hand labels, beside annotate.gold's; repeatable")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="what annotate.compare wrote (default runs/NAME/rules.jsonl)")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a published model as one more row; folders of one name are its seeds",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change, such as train.epochs=3")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    disable_progress_bar()
    check_alone("compare: students are trained one after another", "python -m train.compare")
    run = settings.load(options.config, options.overrides)
    if run.annotate.gold is None:
        raise UserError(f"{options.config}: missing key 'annotate.gold'; name the gold of the articles to leave out")
    if run.annotate.gold in options.gold:
        raise UserError(f"--gold: {run.annotate.gold} is measured already, one article left out; name other gold")
    gold = {path: read_examples(path) for path in (run.annotate.gold, *options.gold)}
    rules = Rules(options.rules or run.folder / "rules.jsonl")
    read = kept(train_and_read, run.folder / "comparison")
    comparisons = compare(run, rules, gold, _published(options.model), options.seeds, read)
    text = "\n\n".join(comparison.to_markdown() for comparison in comparisons) + "\n"
    record = {"name": run.name, "seeds": options.seeds, "comparisons": [comparison.to_dict() for comparison in comparisons]}
    with files.write_whole(run.folder / "comparison.json") as out:
        out.write(files.to_json(record) + "\n")
    with files.write_whole(run.folder / "comparison.md") as out:
        out.write(text)
    print(text)
    print(f"wrote {run.folder / 'comparison.md'} and .json")
    return 0


if __name__ == "__main__":
    sys.exit(main())

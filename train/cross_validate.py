"""Leave-one-article-out figures of a configuration on its gold articles: ``python -m train.cross_validate --config FILE``."""

from __future__ import annotations

import dataclasses
import logging
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models import files, settings
from models.errors import ArgumentParser, UserError, at_least, command
from models.labels import Schema
from models.predictor import Predictor
from models.records import Example, PredictedSentence, read_examples
from models.scoring import MICRO
from models.settings import Settings

from .dataset import Labelled, written
from .evaluate import score
from .fit import encoder_of
from .processes import check_alone
from .stages import fit_stages

SEEDS = 3

log = logging.getLogger(__name__)

Read = Callable[[Settings, Sequence[Example], Sequence[Example], Sequence[Example]], list[PredictedSentence]]


def leave_one_out(run: Settings, examples: Sequence[Example], gold: Sequence[Example], seeds: int, read: Read) -> dict[str, Any]:
    """Score articles that training has not seen; see ``left_out``. All articles' sentences are scored together, once a seed; gives the
    figures' mean and standard deviation over the seeds, and each seed's report.
    """
    reports = [score(gold, predicted) for predicted in left_out(run, examples, gold, seeds, read)]
    return summary(reports) | {"seeds": reports}


def left_out(run: Settings, examples: Sequence[Example], gold: Sequence[Example], seeds: int, read: Read) -> list[list[PredictedSentence]]:
    """Each seed's reading of ``gold``: every article of it is left out in turn and read by a model trained on the others' ``examples``
    and on what the run has of written sentences.

    The article after it (in order, round) chooses the checkpoint. Raises UserError for too few articles, for an article that has no
    examples, and as ``check_untrained``.
    """
    check_untrained(run)
    articles = list(dict.fromkeys(example.article for example in gold))
    if len(articles) < 3:
        raise UserError(f"leaving one out needs three articles at least, the gold has {len(articles)}; name more in 'gold'")
    if unlabelled := set(articles) - {example.article for example in examples}:
        raise UserError(f"leaving one out: article '{min(unlabelled)}' of the gold has no labels to train on; run `python -m annotate`")
    return [_left_out(run.reseeded(number), examples, gold, articles, read) for number in range(seeds)]


def check_untrained(run: Settings) -> None:
    """Raise UserError for a run that begins with a network that has learnt from articles already, the unseen ones perhaps among them."""
    if run.review.network:
        raise UserError(f"review.network: {run.review.network} has seen what was to be left out; measure a run without it")
    if run.distil.layers:
        raise UserError("distil.layers: the teacher has seen what was to be left out; measure a run that trains on labels")
    config = Path(run.encoder.source) / "config.json"
    if config.is_file() and "gozareh" in files.read_json(config, "name another encoder"):
        raise UserError(f"encoder.source: {run.encoder.source} was trained on labels, and has seen what was to be left out")


def _left_out(
    run: Settings, examples: Sequence[Example], gold: Sequence[Example], articles: Sequence[str], read: Read
) -> list[PredictedSentence]:
    predicted: dict[int, PredictedSentence] = {}
    for i, article in enumerate(articles):
        chooser = articles[(i + 1) % len(articles)]
        log.info("seed %d: leaving out %s (%d of %d)", run.seed, article, i + 1, len(articles))
        unseen = {place: example for place, example in enumerate(gold) if example.article == article}
        training = [example for example in examples if example.article not in (article, chooser)]
        held_out = [example for example in examples if example.article == chooser]
        predicted |= zip(unseen, read(run, [*training, *written(run)], held_out, list(unseen.values())), strict=True)
    return [predicted[place] for place in range(len(gold))]


def summary(reports: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The headline figures' ``mean`` and standard deviation, ``spread``, over the reports of several seeds."""
    return {"mean": _over(reports, statistics.fmean), "spread": _over(reports, statistics.pstdev)}


def _over(reports: Sequence[Mapping[str, Any]], statistic: Callable[[Sequence[float]], float]) -> dict[str, float]:
    rows = [headline(report) for report in reports]
    return {name: round(statistic([row[name] for row in rows]), 4) for name in rows[0]}


def headline(report: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a report that systems are compared by, by name."""
    return {f"{label} F1": of["f1"] for label, of in report["spans"].items()} | {
        "partial micro F1": report["partial"][MICRO]["f1"],
        "claim accuracy": report["claims"]["accuracy"],
        "claim macro-F1": report["claims"]["macro_f1"],
        "calibration error": report["claims"]["ece"],
        "sentence accuracy": report["sentence_accuracy"],
    }


def train_and_read(
    run: Settings, training: Sequence[Example], held_out: Sequence[Example], unseen: Sequence[Example]
) -> list[PredictedSentence]:
    """Fit on ``training``, choose the checkpoint on ``held_out``, read the sentences of ``unseen``."""
    encoder = encoder_of(run, training)
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_stages(run, encoder, Labelled(Schema(), training, held_out, gold={}), Path(folder))
    return Predictor.of(fitted.model, fitted.tokenizer, run.predict).read([example.text for example in unseen])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Cross-validate a configuration on its gold articles; writes ``runs/NAME/cross_validation.json``."""
    parser = ArgumentParser(prog="python -m train.cross_validate", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's YAML file")
    parser.add_argument("--seeds", type=at_least(1), default=SEEDS, help="how many seeds (default %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change, such as train.epochs=3")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    check_alone("cross_validate: articles are left out one after another", "python -m train.cross_validate")
    run = settings.load(options.config, options.overrides)
    if run.annotate.gold is None:
        raise UserError(f"{options.config}: missing key 'annotate.gold'; name the gold of the articles to leave out")
    result = leave_one_out(run, read_examples(run.annotate.output), read_examples(run.annotate.gold), options.seeds, train_and_read)
    result |= {"settings": dataclasses.asdict(run)}  # whose figures these are, for the card
    path = run.folder / "cross_validation.json"
    with files.write_whole(path) as out:
        out.write(files.to_json(result) + "\n")
    for name, value in result["mean"].items():
        print(f"{name:20}{value:.3f} ± {result['spread'][name]:.3f}")
    print(f"leave one article out, {options.seeds} seeds; wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

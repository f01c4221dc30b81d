"""``python -m train.measure MODEL --gold FILE …``: a published model's figures on labelled sentences, as they are and respelled."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models import files
from models.errors import ArgumentParser, UserError, command
from models.predictor import Predictor, load
from models.records import Example, read_examples
from models.scoring import MICRO

from .augment import SPELLINGS, rewrite
from .evaluate import evaluate, table
from .plots import plot

AS_IT_IS = "as it is"


def by_spelling(predictor: Predictor, examples: Sequence[Example]) -> dict[str, dict[str, Any]]:
    """The report of the examples as they are, and of the same examples respelled throughout, by the spelling's name."""
    respelled = {AS_IT_IS: list(examples)}
    for name, edits in SPELLINGS.items():
        respelled[name] = [rewrite(example, edits(example.text)) for example in examples]
    return {name: evaluate(predictor, changed) for name, changed in respelled.items()}


def differences(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a spelling: its figures and how far they are from those of the text as it is."""
    plain = _headline(reports[AS_IT_IS])
    lines = [f"{'':20}{'span F1':>10}{'claim F1':>10}"]
    for name, report in reports.items():
        lines.append(f"{name:20}" + "".join(f"{f:>10.3f} ({100 * (f - p):+.1f})" for f, p in zip(_headline(report), plain, strict=True)))
    return "\n".join(lines)


def _headline(report: Mapping[str, Any]) -> tuple[float, float]:
    return report["spans"][MICRO]["f1"], report["claims"]["macro_f1"]


def _check_folder(folder: Path, gold: Sequence[str]) -> None:
    """Raise UserError, before all the work, for a place where no folder can be, and for files whose plots would go to one folder in it."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"--to: {there} is a file; name a folder")
    stems: dict[str, str] = {}
    for path in gold:
        if (other := stems.setdefault(Path(path).stem, path)) != path:
            raise UserError(f"--gold: the plots of {other} and {path} would go to one folder; measure them apart, or rename one")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure a published model."""
    parser = ArgumentParser(prog="python -m train.measure", description=__doc__)
    parser.add_argument("model", help="a published folder or a hub name")
    parser.add_argument("--gold", required=True, nargs="+", action="extend", metavar="FILE", help="labelled sentences, JSONL")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="write measures.json and plots there")
    options = parser.parse_args(argv)
    if options.to:
        _check_folder(options.to, options.gold)
    gold = {path: read_examples(path) for path in options.gold}
    predictor = load(options.model)
    reports = {path: by_spelling(predictor, examples) for path, examples in gold.items()}
    for path, spellings in reports.items():
        print(table(spellings[AS_IT_IS], path), differences(spellings), sep="\n\n", end="\n\n")
    if options.to:
        for path, spellings in reports.items():
            plot(spellings[AS_IT_IS], [], options.to / Path(path).stem)
        with files.write_whole(options.to / "measures.json") as out:
            out.write(files.to_json(reports) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m train.grid --config FILE train.learning_rate=1e-4,2e-4 seed=13,14``: a run for every combination, and a table of them all.

Each is a whole run in ``runs/NAME/grid/``, on the weak labels of NAME. A finished one is not run again while settings, labels and code are
the same; an interrupted one goes on from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from transformers.utils.logging import disable_progress_bar

from models import files, settings
from models.errors import ArgumentParser, UserError, command
from models.settings import Settings

from .__main__ import HELD_OUT, carry_out
from .cross_validate import headline
from .dataset import read_labelled
from .evaluate import markdown, overall
from .fit import fingerprint
from .processes import check_alone

MARK = "finished"  # the file that holds a finished run's fingerprint
SHOWN = ("micro F1", "partial micro F1", "claim macro-F1", "calibration error")
_COMMA = re.compile(r",(?![^\[{(]*[\]})])")  # outside brackets

log = logging.getLogger(__name__)


def combinations(arguments: Sequence[str]) -> list[tuple[str, ...]]:
    """Every way to take one value of each ``key=value,value,…``, as overrides of settings. Commas in brackets part nothing.

    Raises UserError for an argument of another form, a key given twice, and one on which the weak labels depend, as they are not made anew.
    """
    choices: dict[str, list[str]] = {}
    for argument in arguments:
        key, equals, values = argument.partition("=")
        if not equals:
            raise UserError(f"command line, '{argument}': expected key=value,value, such as train.epochs=3,6")
        if key in choices:
            raise UserError(f"command line, '{argument}': '{key}' is given twice; name all its values at once")
        if key.startswith("annotate.") and key != "annotate.output":
            raise UserError(
                f"command line, '{argument}': the weak labels are made before; write some with annotate, vary 'annotate.output'"
            )
        choices[key] = [f"{key}={value}" for value in dict.fromkeys(_COMMA.split(values))]
    return list(itertools.product(*choices.values()))


def finished(run: Settings) -> dict[str, Any]:
    """The reports of a run, by what was measured; it is carried out where it has not been yet."""
    data = read_labelled(run)
    identity = fingerprint(run, None, data.training, data.held_out, *data.gold.values())
    mark, report = run.folder / MARK, run.folder / "report.json"
    if mark.is_file() and mark.read_text() == identity and report.is_file():
        log.info("finished before")
        return dict(files.read_json(report, f"delete {run.folder}")["metrics"])
    _, metrics = carry_out(run, data)
    mark.write_text(identity)
    shutil.rmtree(run.folder / "checkpoints")
    return metrics


def table(rows: Mapping[tuple[str, ...], Mapping[str, Any]]) -> str:
    """What the combinations differ in, best first by the held-out figure that chooses checkpoints, and their headline figures on gold."""
    settings_of = {choices: dict(choice.split("=", 1) for choice in choices) for choices in rows}
    first = next(iter(settings_of.values()))
    keys = [key for key in first if len({of[key] for of in settings_of.values()}) > 1] or list(first)
    gold = [path for path in next(iter(rows.values())) if path != HELD_OUT]
    lines = [(*keys, "held out", *(f"{path}: {name}" for path in gold for name in SHOWN))]
    for choices, metrics in sorted(rows.items(), key=lambda row: -overall(row[1][HELD_OUT])):
        figures = (overall(metrics[HELD_OUT]), *(headline(metrics[path])[name] for path in gold for name in SHOWN))
        lines.append((*(settings_of[choices][key] for key in keys), *(f"{figure:.3f}" for figure in figures)))
    return markdown(lines)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run a grid; prints the table and writes ``runs/NAME/grid/table.md`` and ``table.json`` after each run."""
    parser = ArgumentParser(prog="python -m train.grid", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's YAML file")
    parser.add_argument("choices", nargs="+", metavar="key=value,value", help="a setting and the values to try")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    disable_progress_bar()
    check_alone("grid: its runs are trained one after another", "python -m train.grid")
    runs = {
        choices: settings.load(options.config, choices) for choices in combinations(options.choices)
    }  # all mistakes before any training
    folder = next(iter(runs.values())).folder / "grid"
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for number, (choices, run) in enumerate(runs.items(), 1):
        log.info("%d of %d: %s", number, len(runs), " ".join(choices))
        rows[choices] = finished(dataclasses.replace(run, name=f"{run.name}/grid/{quote(' '.join(choices), safe='=, ')}"))
        with files.write_whole(folder / "table.md") as out:
            out.write(table(rows) + "\n")
        with files.write_whole(folder / "table.json") as out:
            out.write(files.to_json([{"settings": list(of), "metrics": metrics} for of, metrics in rows.items()]) + "\n")
    print(table(rows))
    print(f"\nwrote {folder / 'table.md'} and .json; each run is in a folder beside them")
    return 0


if __name__ == "__main__":
    sys.exit(main())

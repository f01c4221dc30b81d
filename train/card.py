"""The model card, README.md of a published folder, written from a run's report with the template ``card.md``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from models import files
from models.labels import Schema
from models.text import WORD

TEMPLATE = Path(__file__).with_name("card.md").read_text(encoding="utf-8")  # now, so that a run of hours ends with the card of its start
REPORT = "the run's report"
UNKNOWN = "unknown"  # what a run outside a checkout says of its commit

MEANINGS = {
    "PERSON": ("the name of one human being, titles left out", "«سید مرتضی حسینی»، «حسینی»"),
    "ROLE": ("the office a person holds, with its organisation and place", "«رئیس اداره بهزیستی شهرستان خرمشهر»، «وزیر کار»"),
    "NUMBER": ("a quantity, with its currency or percent", "«یک هزار و 580»، «۸۵ میلیارد تومان»، «چهار درصد»"),
    "PROGRAM": ("a named programme, plan, service, campaign, system or fund", "«طرح توانبخشی مبتنی بر جامعه»، «سامانه اشتغال»"),
    "ANNOUNCEMENT": ("a particular event or act, done, under way or scheduled", "«۱۲ مجموعه امروز بهره برداری شدند»"),
    "STATISTIC": ("how many, how much, what share, how it changed", "«۲۶ هزار معلول تحت پوشش هستند»"),
    "POLICY": ("an aim, priority, duty, rule, plan, commitment or need", "«توانمندسازی از اولویت های سازمان است»"),
}


def card(report: Mapping[str, Any], schema: Schema, positions: int, *, graph: bool = False) -> str:
    """The card's text, metadata first.

    ``positions`` is the most tokens that the encoder reads at once; ``graph``: whether the folder has an ONNX graph.

    ``report`` holds ``name``, ``base_model``, ``settings`` (with ``predict``: window, overlap, claim_threshold), ``versions`` (package to
    version) and ``data``. The rest is said where it is known, and has no section where it is not:

    - ``licence`` of the weights, by its id in https://huggingface.co/docs/hub/repositories-licenses; ``commit``, ``device``, ``minutes``;
    - ``temperature``, by which the claim head was calibrated; ``origin``, the hub's name of the model that the base model was made of;
    - in ``data``: ``corpora``, each with ``name``, ``licence`` and ``sentences``, and how many sentences were ``reviewed`` and ``written``;
    - ``functions``: one dictionary a labelling function, all with the same keys;
    - ``metrics``: what ``evaluate.score`` gives, by the name of the labels measured on, and the ``interval`` of two of its figures;
    - ``cross_validation``: what ``cross_validate`` writes, figures by name in ``mean`` and ``spread`` and a list of ``seeds``.

    Raises UserError for a field that is missing.
    """
    required = {"name": str, "base_model": str, "settings": dict, "versions": dict, "data": dict}
    fields = {name: files.field(dict(report), name, kind, REPORT) for name, kind in required.items()}
    reading = files.field(fields["settings"], "predict", dict, f"{REPORT}, field 'settings'")
    annotate = fields["settings"].get("annotate", {})
    optional = ("licence", "commit", "device", "minutes", "temperature", "origin", "functions", "metrics", "cross_validation")
    known = dict.fromkeys(optional) | {name: value for name, value in report.items() if value != UNKNOWN}
    # plain JSON types: a run in memory still has tuples, which YAML would mark as Python's own; what is not set is left out
    settings = yaml.safe_dump(_plain(fields["settings"]), allow_unicode=True, sort_keys=False).strip()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    text = environment.from_string(TEMPLATE).render(
        known
        | {
            "metadata": _metadata(known, schema).to_yaml(),
            "span_types": schema.span_types,
            "claims": schema.claims,
            "span_rows": _rows(schema.span_types),
            "claim_rows": _rows(schema.claims),
            "reading": reading,
            "positions": positions,
            "graph": graph,
            "word": _word(),
            "label_model": annotate.get("label_model") if annotate.get("articles") else None,
            "rounds": fields["settings"].get("self_training", {}).get("rounds"),
            "layers": fields["settings"].get("distil", {}).get("layers"),
            "settings": settings,
        }
    )
    # read by the hub's own parser, so that metadata it refuses is never written; sections left out leave blank lines
    return str(ModelCard(re.sub(r"\n{3,}", "\n\n", text)))


def _word() -> list[str]:
    """The pattern of a word in lines of 120 characters, joiners and marks, which nobody would see, by their numbers."""
    return re.findall(r".{1,120}(?=[\[|]|$)", WORD.pattern.encode("ascii", "backslashreplace").decode())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: item for key, item in zip(value, map(_plain, value.values()), strict=True) if item not in (None, "", [], {})}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _rows(labels: Iterable[str]) -> list[tuple[str, str, str]]:
    """Label, meaning, examples; of another corpus's labels only the names are known."""
    return [(label, *MEANINGS.get(label, ("as in its corpus", ""))) for label in labels]


def _metadata(known: Mapping[str, Any], schema: Schema) -> ModelCardData:
    # what was loaded, what the settings name, what that was made of
    sources = (known["base_model"], known["settings"].get("encoder", {}).get("source", ""), known["origin"] or "")
    tags = ["persian", "news", "named-entity-recognition"] + (["claim-classification"] if schema.claims else [])
    return ModelCardData(
        language="fa",
        license=known["licence"],
        library_name="transformers",
        pipeline_tag="token-classification",
        tags=tags,
        base_model=next(filter(_on_the_hub, sources), None),
        model_name=known["name"],
        eval_results=list(_results(known)) or None,
    )


def _on_the_hub(name: str) -> bool:
    """Whether a name can be a model's on the hub, the only kind that the metadata may give, and is no folder here."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name and not Path(name).exists()


def _results(known: Mapping[str, Any]) -> Iterator[EvalResult]:
    """The figures in the hub's ``model-index`` form; it has no place for intervals but a metric's ``args``."""
    spans, claims = "token-classification", "text-classification"
    for gold, scores in (known["metrics"] or {}).items():
        micro, intervals = scores.get("spans", {}).get("micro", {}), scores.get("interval", {})
        yield from _result(
            gold, spans, {f"strict span {name}": micro.get(name) for name in ("precision", "recall", "f1")}, intervals.get("spans")
        )
        if (judged := scores.get("claims")) and judged.get("count", 1):
            figures = {"claim accuracy": judged["accuracy"], "claim macro f1": judged["macro_f1"]}
            yield from _result(gold, claims, figures, intervals.get("claims"))
    if known["cross_validation"]:
        mean = known["cross_validation"]["mean"]
        yield from _result("leave one article out", spans, {"strict span f1": mean.get("micro F1")})
        yield from _result("leave one article out", claims, {"claim macro f1": mean.get("claim macro-F1")})


def _result(gold: str, task: str, figures: Mapping[str, float | None], interval: Sequence[float] | None = None) -> Iterator[EvalResult]:
    """``figures`` are named by what they measure and, last, the hub's id of the metric; ``interval`` is of the F1 among them."""
    for name, value in figures.items():
        if value is not None:
            metric = name.rpartition(" ")[2]
            yield EvalResult(
                task_type=task,
                dataset_type=re.sub(r"\W+", "-", gold),  # an id: figures of one id are taken for one data set's, whatever its name
                dataset_name=gold,
                metric_type=metric,
                metric_name=name,
                metric_value=value,
                metric_args={"confidence_level": 0.95, "low": interval[0], "high": interval[1]} if interval and metric == "f1" else None,
            )

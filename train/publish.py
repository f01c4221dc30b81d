"""The published folder: one encoder with two heads that stock transformers pipelines load without our code, and a card from the run.

    config.json                     stock BertForTokenClassification, or another kind's; ``auto_map`` leads to the joint class
    model.safetensors.index.json    -> embedding.safetensors, encoder.safetensors, span_head.safetensors, claim_head.safetensors
                                    (16-bit floats)
    tokenizer files, README.md, the Python files that the joint class and the pipeline need
    SHA256SUMS                      checksums of all the rest (see ``checksums``)
    claim/                          stock BertForSequenceClassification or its like: its head, links to the same encoder and tokenizer

Links are relative and stay inside the folder. An index may also name "../encoder.safetensors" on a disk, but not on the hub, where a link
becomes a real file. Embeddings stand alone since a student has its teacher's: the same bytes need be stored once.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, pipeline
from transformers.utils.logging import get_verbosity, set_verbosity

import models
from models import files
from models.architectures import architecture
from models.config_spec import FORMAT
from models.encoding import Ids, encode
from models.errors import ArgumentParser, UserError, command
from models.folder import TOKENIZER, check_folder
from models.labels import Schema
from models.modeling import GozarehModel
from models.onnx_engine import GRAPH
from models.predictor import load
from models.records import read_examples
from models.torch_engine import load_network

from . import checksums
from .card import card
from .conll import read_conll
from .export import export_onnx
from .push import Push

EMBEDDINGS, ENCODER = "embedding.safetensors", "encoder.safetensors"  # git, by names' ends, looks for the one in older files of the other
SPAN_HEAD, CLAIM_HEAD = "span_head.safetensors", "claim_head.safetensors"
AGAIN = "train the run again"
TOLERANCE = 1e-2  # how far a probability may move when the weights are cut to 16 bits
CODE = Path(models.__file__).parent
TRUSTED = Path(__file__).with_name("trusted_doors.py")

SAMPLES = 512  # sentences that the ranges of 8-bit activations are taken from

PROBES = (
    "سید مرتضی حسینی، رئیس اداره بهزیستی شهرستان خرمشهر، گفت: ۲۶ هزار معلول تحت پوشش هستند.",
    "۱۲ مجموعه امروز در طرح توانبخشی مبتنی بر جامعه بهره‌برداری شدند.",
    "توانمندسازی از اولویت های سازمان است",
)


def publish(
    model: GozarehModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    report: Mapping[str, Any],
    export: Callable[[Path], None] | None = None,
    trusted: bool = False,
) -> None:
    """Write ``folder`` beside its place, load it through its doors, and only then put it there (see ``files.write_folder``).

    ``report`` is the run's (see ``card.card``); its ``settings.predict`` says how the model reads. ``export`` adds the ONNX graph to
    the new folder. ``trusted``: also open the doors that run the folder's own code, in a process of their own, which takes
    seconds. Raises UserError for a report that lacks a field, for a folder that holds something
    else, and for weights that 16 bits cannot hold.
    """
    text = card(report, model.schema, architecture(model.config).positions(model.config.to_dict()), graph=export is not None)
    with files.write_folder(folder, check_place) as new:
        write(model, tokenizer, new, report["settings"]["predict"])
        (new / "README.md").write_text(text, encoding="utf-8")
        if export:
            export(new)
        checksums.write(new)
        check(new, model)
        if trusted:
            check_trusted(new)
        checksums.verify(new)


def check_place(folder: Path) -> None:
    """Raises UserError for a folder that no publish wrote."""
    if folder.exists() and not (folder.is_dir() and _is_ours(folder)):
        raise UserError(f"{folder}: holds something other than a published model; name a new or empty folder")


def _is_ours(folder: Path) -> bool:
    config = folder / "config.json"
    return not any(folder.iterdir()) or (config.is_file() and '"gozareh"' in config.read_text(encoding="utf-8"))


def write(model: GozarehModel, tokenizer: PreTrainedTokenizerBase, folder: Path, reading: Mapping[str, Any]) -> None:
    """All of the folder but its card: weights, configurations, tokenizer files, code. ``reading`` is as in ``models.predictor.Reading``."""
    config, schema = model.config, model.schema
    weights = {name: tensor.detach().to("cpu", torch.float16).contiguous() for name, tensor in model.state_dict().items()}
    if lost := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise UserError(f"{folder.name}: 16 bits cannot hold {lost[0]}; train with smaller steps")
    prefix = f"{architecture(config).prefix}."
    embeddings = {name: tensor for name, tensor in weights.items() if name.startswith(f"{prefix}embeddings.")}
    layers = {name: tensor for name, tensor in weights.items() if name.startswith(prefix) and name not in embeddings}
    encoder = {EMBEDDINGS: embeddings, ENCODER: layers}
    claim_head = {name: tensor for name, tensor in weights.items() if name.startswith("claim_")}
    span_head = {name: tensor for name, tensor in weights.items() if not name.startswith((prefix, "claim_"))}
    tokenizer = _at_rest(tokenizer, reading["window"])

    parts = encoder | {SPAN_HEAD: span_head} | ({CLAIM_HEAD: claim_head} if claim_head else {})
    _write_weights(folder, parts)
    _write_json(folder / "config.json", _joint_config(model, reading))
    tokenizer.save_pretrained(folder)
    for source in code_files():
        shutil.copyfile(source, folder / source.name)
    if schema.claims:
        claim = folder / "claim"
        claim.mkdir()
        for name in (*encoder, TOKENIZER):
            (claim / name).symlink_to(Path("..") / name)
        head = {name.removeprefix("claim_"): tensor for name, tensor in claim_head.items()}
        _write_weights(claim, encoder | {CLAIM_HEAD: head})
        _write_json(claim / "config.json", _claim_config(config, schema))
        shutil.copyfile(folder / "tokenizer_config.json", claim / "tokenizer_config.json")


def _at_rest(tokenizer: PreTrainedTokenizerBase, window: int) -> PreTrainedTokenizerBase:
    """A copy without the traces of its loading and of its last call, which would be saved, and as long as a window.

    So a stock pipeline with a stride reads a text in windows of the length that ``predict`` reads, which is what the network was made for.
    """
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for how_it_was_loaded in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(how_it_was_loaded, None)
    tokenizer.model_max_length = window
    return tokenizer


def _write_weights(folder: Path, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Each part in a file of its own, unless a link stands there, and the index that names them all."""
    for name, tensors in parts.items():
        if not (folder / name).is_symlink():
            (folder / name).write_bytes(save(dict(tensors), metadata={"format": "pt"}))
    size = sum(tensor.nbytes for tensors in parts.values() for tensor in tensors.values())
    weight_map = {tensor: name for name, tensors in parts.items() for tensor in sorted(tensors)}
    _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": weight_map})


def _joint_config(model: GozarehModel, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Said outright, because ``save_pretrained`` would name the joint class, which stock transformers does not know.

    The task "gozareh" is named by ``GozarehConfig``, seen with trust_remote_code=True alone: an entry ``custom_pipelines`` here would
    go before the pipeline that ``import gozareh`` registers and ask for trust every time.
    """
    return (
        model.config.to_diff_dict()
        | model.schema.to_config()
        | {
            "architectures": [architecture(model.config).spans],
            "dtype": "float32",  # of the network; the files hold 16 bits
            "gozareh": {"format": FORMAT} | dict(reading),
            "auto_map": {
                "AutoConfig": f"modeling.{model.config_class.__name__}",
                "AutoModel": f"modeling.{type(model).__name__}",
                "AutoModelForSequenceClassification": "modeling.ClaimsElsewhere",
            },
        }
    )


def _claim_config(config: PreTrainedConfig, schema: Schema) -> dict[str, Any]:
    ours = {"gozareh", "claim_id2label", "auto_map"}
    return {name: value for name, value in config.to_diff_dict().items() if name not in ours} | {
        "architectures": [architecture(config).claims],
        "dtype": "float32",
        "id2label": dict(enumerate(schema.claims)),
        "label2id": {claim: i for i, claim in enumerate(schema.claims)},
        "problem_type": "single_label_classification",
    }


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def code_files(roots: Sequence[str] = ("modeling", "pipeline")) -> list[Path]:
    """The modules of ``models`` that ``roots`` import, directly or not, themselves included."""
    found: dict[str, Path] = {}
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name not in found:
            found[name] = CODE / f"{name}.py"
            queue.extend(_relative_imports(found[name].read_text(encoding="utf-8")))
    return [found[name] for name in sorted(found)]


def _relative_imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from [node.module] if node.module else [alias.name for alias in node.names]


def check(folder: Path, model: GozarehModel) -> None:
    """Load a written folder as the joint class, its graph and the stock pipelines, and compare with the network in memory.

    Raises UserError if a probability moved by more than ``TOLERANCE``, RuntimeError if a stock pipeline reads something else.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    after = _probabilities(load_network(check_folder(folder)), tokenizer)
    moved = max(float((a - b).abs().max()) for a, b in zip(_probabilities(model, tokenizer), after, strict=True))
    if not moved < TOLERANCE:  # so that it also catches what is not a number
        raise UserError(f"{folder.name}: stored in 16 bits, a probability moves by {moved:.3f}, over {TOLERANCE}; train with smaller steps")
    if (folder / GRAPH).exists():
        list(load(folder, engine="onnx").predict(PROBES))  # what the graph gives, its export has compared
    doors: list[tuple[str, Path, dict[str, Any], Tensor]] = [("token-classification", folder, {}, after[0])]
    if len(after) > 1:
        doors += [("text-classification", folder / "claim", {}, after[1])]
        doors += [("text-classification", folder, {"model_kwargs": {"subfolder": "claim"}}, after[1])]
    for task, place, options, ours in doors:
        with _quiet():
            stock = pipeline(task, str(place), device="cpu", **options)  # type: ignore[call-overload] # one for each literal
        if not torch.allclose(ours, _probabilities(stock.model, stock.tokenizer)[0], atol=1e-4):
            raise RuntimeError(f"{place}: the stock {task} pipeline does not give what the joint class gives")


def check_trusted(folder: Path) -> None:
    """Open a written folder by its own code, in a process where this project cannot be imported, and compare with ``predict``.

    Raises RuntimeError if that fails, or reads something else.
    """
    expected = [prediction.to_dict()["sentences"] for prediction in load(folder, device="cpu", engine="torch").predict(PROBES)]
    with tempfile.TemporaryDirectory() as home:  # where transformers copies the code, so that an older copy is not taken for it
        done = subprocess.run(
            [sys.executable, "-I", "-X", "utf8", str(TRUSTED)],
            input=json.dumps({"folder": str(folder.resolve()), "texts": PROBES}),
            env=os.environ | {"HF_HOME": home, "HF_MODULES_CACHE": f"{home}/modules", "HF_HUB_OFFLINE": "1"},
            cwd=home,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{folder}: its own code fails: {(done.stderr.strip().splitlines() or ['nothing said'])[-1]}")
    read = [prediction["sentences"] for prediction in json.loads(done.stdout.splitlines()[-1])]
    if not _alike(expected, read):
        raise RuntimeError(f"{folder}: its own code does not read what `predict` reads")


def _alike(ours: Any, theirs: Any) -> bool:
    """Whether two JSON values are equal but for noise in their scores."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_alike(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    return bool(abs(ours - theirs) < 1e-3) if isinstance(ours, float) and isinstance(theirs, float) else bool(ours == theirs)


@torch.no_grad()
def _probabilities(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[Tensor]:
    """Of a few sentences: (tokens, tags) and, of a joint model, (sentences, claims). Training mode is restored."""
    batch = tokenizer(list(PROBES), padding=True, truncation=True, return_tensors="pt")
    training = model.training
    output = model.train(False)(**{name: tensor.to(model.device) for name, tensor in batch.items()})
    model.train(training)
    logits = [output[name].float().cpu() for name in ("logits", "claim_logits") if output.get(name) is not None]
    real = batch["attention_mask"].bool()
    return [(tensor[real] if tensor.ndim == 3 else tensor).softmax(dim=-1) for tensor in logits]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report of the other head's tensors, which a stock class leaves unread."""
    verbosity = get_verbosity()
    set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        set_verbosity(verbosity)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Publish the model that a run has trained, with a card of all that the run has measured; push it to the hub; check a folder."""
    options = _options(argv)
    if options.verify:
        print(f"{options.verify}: {len(checksums.verify(options.verify))} files, all as {checksums.NAME} has them")
        return 0
    folder = options.folder if options.published else options.to or CODE / "published" / options.folder.resolve().name
    with tempfile.TemporaryDirectory() as scratch:
        if options.dry_run and not options.published:
            folder = Path(scratch) / folder.name
        push = Push(folder, options.push_to, options.revision, options.private) if options.push_to else None  # first: it may be refused
        if not options.published:
            publish_run(options.folder, folder, onnx=options.onnx)
        if push and options.dry_run:
            print(push.listing())
            return 0
    if not options.published:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"{folder}: published, {size / 1e6:.1f} MB; its card is {folder / 'README.md'}, its checksums {checksums.NAME}")
    if push:
        print(f"{folder}: pushed, {push.send()}")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command's options, and ``published``: whether ``folder`` is a published one and not a run."""
    parser = ArgumentParser(prog="python -m train.publish", description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="RUN|FOLDER", help="a run, or, to push it, a published folder")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="the folder to write (default: models/published/NAME)")
    parser.add_argument("--onnx", action="store_true", help="with a run: also write its ONNX graph, 8-bit (needs the extra onnx)")
    parser.add_argument("--verify", type=Path, metavar="FOLDER", help="check a published folder's files against its SHA256SUMS, no more")
    parser.add_argument("--push-to", metavar="OWNER/NAME", help="the hub's model repository to send it to; made where there is none")
    parser.add_argument("--revision", metavar="TAG", help="with --push-to: a tag for the commit")
    parser.add_argument("--private", action="store_true", help="with --push-to: a new repository is private, a public one refused")
    parser.add_argument("--dry-run", action="store_true", help="with --push-to: list what would be sent, write and send nothing")
    options = parser.parse_args(argv)
    if (options.folder is None) == (options.verify is None):
        parser.error("name a run or a published folder, or one to --verify")
    if options.verify and (options.to or options.onnx or options.push_to):
        parser.error("--verify goes with no other option")
    if not options.push_to and (options.revision or options.private or options.dry_run):
        parser.error("--revision, --private and --dry-run go with --push-to")
    options.published = options.folder is not None and (options.folder / "config.json").is_file()
    if options.published and (options.to or options.onnx or not options.push_to):
        parser.error(f"{options.folder}: is published already; --push-to sends it as it is")
    return options


def publish_run(run: Path, folder: Path, *, onnx: bool = False) -> None:
    """Publish a run's model, with its ONNX graph if asked; what was cross-validated is on its card if it was with the same settings.

    Raises UserError for a run that is not whole; see ``publish``.
    """
    report = files.read_json(run / "report.json", AGAIN)
    if (figures := run / "cross_validation.json").is_file():
        measured = files.read_json(figures, AGAIN)
        if measured.get("settings") == report.get("settings"):
            report["cross_validation"] = measured
        else:
            print(f"{figures}: of other settings than the run's, left out; run `python -m train.cross_validate` again", file=sys.stderr)
    model = load_network(check_folder(run / "published"))
    tokenizer = AutoTokenizer.from_pretrained(run / "published")
    export = partial(export_onnx, model, _samples(report, tokenizer)) if onnx else None
    publish(model, tokenizer, folder, report=report, export=export, trusted=True)


def _samples(report: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> list[Ids]:
    """Rows of ids of sentences that the run has learnt from."""
    settings = report["settings"]
    examples = [e for path in settings["data"]["train"] for e in read_conll(path)] or read_examples(settings["annotate"]["output"])
    chosen = random.Random(settings["seed"]).sample(examples, min(len(examples), SAMPLES))
    reading = settings["predict"]
    encodings = encode(tokenizer.backend_tokenizer, [example.text for example in chosen], reading["window"], reading["overlap"])
    return [window.input_ids for encoding in encodings for window in encoding.windows]


if __name__ == "__main__":
    sys.exit(main())

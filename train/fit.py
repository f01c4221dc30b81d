"""Fits the two heads and the encoder under them with ``transformers.Trainer`` (see ``trainer``).

With ``train.keep: best`` the checkpoint is chosen on held-out articles by one number, ``score``: the mean of strict span F1 and claim
macro-F1, read through the Predictor itself, so that what is chosen is what will run.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import logging
import math
import random
import shutil
import timeit
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainingArguments, set_seed
from transformers.integrations.integration_utils import get_available_reporting_integrations

import models
from annotate.functions import base
from models.architectures import architecture
from models.config_spec import FORMAT
from models.encoders import Encoder, load_encoder
from models.errors import UserError
from models.labels import Schema
from models.modeling import GozarehModel, joint_model
from models.predictor import Predictor
from models.records import Example
from models.settings import Settings

from .augment import Augmenter
from .calibrate import calibrate
from .dataset import to_rows
from .evaluate import evaluate
from .processes import processes
from .trainer import JointTrainer, reading_packed, saving

STEPS = 16  # of rounded weights, in their standard deviation: 16 to 32

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """A trained network with what chose it: ``history`` is the Trainer's log, one dictionary an entry; ``temperature`` calibrated it,
    in its last stage.
    """

    model: GozarehModel
    tokenizer: PreTrainedTokenizerBase
    history: list[dict[str, Any]]
    best_step: int
    temperature: float


def encoder_of(run: Settings, training: Sequence[Example]) -> Encoder:
    """The run's encoder for ``training``. A pooler that its source lacks is drawn by the run's seed, the same each time.

    Raises UserError for windows that it cannot read, which else would show after all the training, when the folder is written.
    """
    set_seed(run.seed)
    encoder = load_encoder(run.encoder.source, trim=run.encoder.trim, texts=(example.text for example in training))
    config, window = encoder.model.config, run.predict.window
    if window > (most := architecture(config).positions(config.to_dict())):
        raise UserError(f"predict.window: {window} tokens, and {run.encoder.source} reads {most} at most; lower it")
    return encoder


def fit(
    settings: Settings,
    encoder: Encoder,
    training: Sequence[Example],
    held_out: Sequence[Example],
    folder: Path,
    schema: Schema | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    start: GozarehModel | None = None,
) -> Fit:
    """Train on ``training``, choose the checkpoint on ``held_out``; checkpoints go to ``folder``.

    An interrupted run with the same settings and data goes on from its last checkpoint; checkpoints of other settings or data are
    deleted first. ``start`` is a network to go on from, in place of new heads over the encoder. Raises UserError where there is nothing to
    train on.
    """
    schema = schema or Schema()
    set_seed(settings.seed)
    model = joint_model(encoder.model, schema) if start is None else copy.deepcopy(start)
    model.config.gozareh = {"format": FORMAT, **asdict(settings.predict)}
    rows = to_rows(augmented(settings, training), encoder.tokenizer, schema, settings.predict)
    with processes().main_process_first():
        checkpoint = resumable(folder, fingerprint(settings, model, training, held_out))
    trainer = JointTrainer(
        model,
        rows,
        settings.train,
        args=training_arguments(settings, len(rows), folder),
        processing_class=encoder.tokenizer,
        callbacks=[*saving(settings.train), *callbacks],
        read_held_out=lambda: evaluate(Predictor.of(model, encoder.tokenizer, settings.predict), held_out),
    )
    if checkpoint:
        log.info("going on from %s", checkpoint)
    set_seed(settings.reseeded(trainer.args.process_index).seed)  # each process drops out other units
    with reading_packed(model):
        trainer.train(resume_from_checkpoint=checkpoint)
    trainer.check_finite()
    best = trainer.state.best_global_step or trainer.state.global_step
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # the Trainer's autocast: what is measured is the network as it is
    model = gathered(model)
    temperature = calibrate(model, Predictor.of(model, encoder.tokenizer, settings.predict), held_out)
    return Fit(as_stored(model), encoder.tokenizer, trainer.state.log_history, best, temperature)


def gathered(model: GozarehModel) -> GozarehModel:
    """The network, whole on each process where FSDP left it a part; every process has to ask for it."""
    state = model.state_dict()
    if not any(isinstance(value, DTensor) for value in state.values()):
        return model
    whole = type(model)(model.config)
    whole.load_state_dict({name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in state.items()})
    return whole


def as_stored(model: GozarehModel) -> GozarehModel:
    """The network, on the CPU, its weights cut to the 16 bits in which they are published: what is measured is what will be loaded.

    Linear layers' weights that learned are rounded besides, to steps about as fine as those of the 8-bit graph: a third less in an archive.
    """
    model.cpu()  # buffers too: positions, rotary frequencies
    linear = {layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)}
    for parameter in model.parameters():
        stored = parameter.data
        parameter.data = (_in_steps(stored) if parameter.requires_grad and parameter in linear else stored).half().float()
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _in_steps(weights: Tensor) -> Tensor:
    """Weights as multiples of the highest power of two that is at most a ``STEPS``-th of their spread."""
    spread = float(weights.std())
    if not spread > 0:  # all alike, or no numbers
        return weights
    step = 2.0 ** math.floor(math.log2(spread / STEPS))
    return (weights / step).round() * step


def augmented(settings: Settings, training: Sequence[Example]) -> list[Example]:
    """The examples, each with its noisy copies after it."""
    rng = random.Random(settings.seed)
    augmenter = Augmenter.of(settings.augment, training)
    return [copy for example in training for copy in (example, *augmenter.copies(example, rng))]


def training_arguments(settings: Settings, rows: int, folder: Path, metric: str = "score") -> TrainingArguments:
    """The Trainer's arguments for so many rows; ``metric`` chooses the checkpoint: ``score``, or ``loss`` where less is better."""
    train = settings.train
    if absent := sorted(set(train.report_to) - {*get_available_reporting_integrations()}):
        raise UserError(f"train.report_to: {absent[0]} is not installed, or transformers has no such integration; pip install {absent[0]}")
    steps = train.max_steps or max(1, round(train.epochs * -(-rows // train.batch_size)))
    every = math.ceil(steps / train.evaluations)
    gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=train.batch_size,
        learning_rate=train.learning_rate,
        weight_decay=train.weight_decay,
        warmup_steps=round(train.warmup * steps),
        lr_scheduler_type="linear",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=train.keep == "best",
        metric_for_best_model=metric if train.keep == "best" else None,
        greater_is_better=metric != "loss",
        logging_steps=train.logging_steps or max(1, every // 5),
        logging_nan_inf_filter=False,  # it would wait for the GPU at each step; JointTrainer.check_finite does without
        use_cpu=not gpu,
        bf16=_bf16_is_fast() if train.precision == "auto" else train.precision == "bf16",
        torch_compile=train.compile,
        full_determinism=train.deterministic,
        seed=settings.seed,
        report_to=list(train.report_to),
        dataloader_pin_memory=gpu,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,  # so that a pass can be repeated without the other processes
    )


@functools.cache  # so that all stages of a run are computed alike
def _bf16_is_fast() -> bool:
    """Whether the GPU multiplies bfloat16 matrices in hardware, or without one the processor does so in well under float32's time."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # not in older releases of torch
    if not (capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")):
        return False
    # one processor with these instructions takes half of float32's time, another, without AMX, twice that time: only trying tells
    return _product_seconds(torch.bfloat16) < 0.8 * _product_seconds(torch.float32)


def _product_seconds(dtype: torch.dtype) -> float:
    """The least time that a product of a feed-forward layer's size takes on one thread, which others on the machine can put off less."""
    rows, weights = torch.zeros(768, 384, dtype=dtype), torch.zeros(1536, 384, dtype=dtype)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return min(timeit.repeat(lambda: torch.nn.functional.linear(rows, weights), repeat=20, number=1))
    finally:
        torch.set_num_threads(threads)


def fingerprint(settings: Settings, network: nn.Module | None, *examples: Sequence[Example]) -> str:
    """What a checkpoint depends on, so that one of other data, settings, code or weights is never taken up again.

    ``network`` is what training begins with; where none is loaded yet, the folders that the settings name stand for it.
    """
    labels = [[example.to_dict() for example in part] for part in examples]
    named = (settings.encoder.source, settings.review.network)
    weights = [_stored(Path(name)) if name else "" for name in named] if network is None else [_loaded(network)]
    relevant = [asdict(settings), weights, labels, _code(), torch.__version__, transformers.__version__]
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def _loaded(network: nn.Module) -> str:
    """A digest of a network's weights; those that its source lacks are drawn by the run's seed, the same each time."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()


def _stored(folder: Path) -> str:
    """A digest of the weights in a folder; of nothing where there is none, as of a name on the hub."""
    digest = hashlib.sha256()
    for path in sorted({*folder.glob("*.safetensors"), *folder.glob("*.bin")}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@functools.cache
def _code() -> list[str]:
    """Our code as it is when first asked for, so that a long run is marked by what it runs and not by what is edited meanwhile; with the
    lexicons and what reads them, of which ``mentions`` makes names.
    """
    folders = (Path(models.__path__[0]), Path(__file__).parent)
    files = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    files += [Path(base.__file__), *sorted(base.LEXICONS.glob("*.txt"))]
    return [path.read_text(encoding="utf-8") for path in files]


def _last_whole(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end: the Trainer's state is the last of its files. A half-written one is deleted."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(checkpoint)
        else:
            return str(checkpoint)
    return None


def resumable(folder: Path, fingerprint: str) -> str | None:
    """The last checkpoint in ``folder`` if it is of this very run, else None with the folder emptied."""
    mark = folder / "fingerprint"
    if mark.is_file() and mark.read_text() == fingerprint:
        return _last_whole(folder)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    mark.write_text(fingerprint)
    return None

"""The stages of a run: weak labels, then the sentences that were read, and again on what the network itself has read."""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from models.architectures import architecture
from models.encoders import Encoder, load_tokenizer
from models.errors import UserError
from models.folder import check_folder
from models.modeling import GozarehModel
from models.predictor import Predictor
from models.records import Example
from models.settings import Settings
from models.torch_engine import load_network

from .calibrate import calibrate
from .dataset import Labelled
from .fit import Fit, as_stored, fit
from .self_training import relabel

log = logging.getLogger(__name__)


def fit_stages(run: Settings, encoder: Encoder, data: Labelled, folder: Path) -> Fit:
    """Fit a network, review it, then ``self_training.rounds`` more, each from the pretrained encoder on what the one before has read.

    Each fit has its own checkpoints in ``folder``, so that an interrupted run goes on in the stage it was in. Where a published network is
    reviewed, it stands for the first. Raises UserError for one that cannot be read, and where nothing was read that it could learn from.
    """
    if run.review.network:
        return _reviewed_again(run, encoder, data, folder / "reviewed")
    fitted = fit(run, encoder, data.training, data.held_out, folder / "round-0", data.schema)
    if run.review.epochs and any(example.claim_by_hand for example in data.training):
        fitted = _reviewed(run, encoder, data, fitted, folder / "reviewed")
    for number in range(1, run.self_training.rounds + 1):
        log.info("self-training, round %d of %d", number, run.self_training.rounds)
        teacher = Predictor.of(fitted.model, fitted.tokenizer, run.predict)
        training = relabel(teacher, data.training, run.self_training)
        fitted = fit(run, encoder, training, data.held_out, folder / f"round-{number}", data.schema)
    return fitted


def _reviewed(run: Settings, encoder: Encoder, data: Labelled, first: Fit, folder: Path) -> Fit:
    """The first fit gone on with the sentences that were read, and averaged with what it was; of the others it is taught the spans alone,
    which are not to be forgotten.
    """
    read, others = review_set(data.training, run.seed)
    masked = [replace(example, claim=None, claim_scores=None) for example in others]
    return _gone_on(run, encoder, [*read, *masked], data, first, folder)


def _reviewed_again(run: Settings, encoder: Encoder, data: Labelled, folder: Path) -> Fit:
    """A published network gone on with the sentences that were read; the others are as it and the rules see them together."""
    if not any(example.claim_by_hand for example in data.training):
        raise UserError("review.network: no claim of the training sentences was read; name files under annotate.reviews or train.written")
    published = load_network(check_folder(Path(run.review.network)))
    if published.schema != data.schema:
        raise UserError(f"review.network: {run.review.network} reads other labels than the run's; name a network of the same labels")
    encoder = dataclasses.replace(encoder, tokenizer=load_tokenizer(Path(run.review.network)))
    first = Fit(published, encoder.tokenizer, [], 0, 1.0)
    read, others = review_set(data.training, run.seed)
    others = relabel(Predictor.of(published, encoder.tokenizer, run.predict), others, run.self_training)
    return _gone_on(run, encoder, [*read, *others], data, first, folder)


def _gone_on(run: Settings, encoder: Encoder, chosen: Sequence[Example], data: Labelled, first: Fit, folder: Path) -> Fit:
    train = dataclasses.replace(run.train, epochs=run.review.epochs, max_steps=0, learning_rate=run.review.learning_rate)
    start = upper_layers_alone(first.model, run.review.layers)

    def once(number: int) -> Fit:
        log.info("the sentences that were read, run %d of %d", number + 1, run.review.runs)
        settings = dataclasses.replace(run.reseeded(number), train=train)
        return fit(settings, encoder, chosen, data.held_out, folder / f"run-{number}", data.schema, start=start)

    second = once(0)
    if run.review.runs == run.review.share == 1:
        return second
    for number in range(1, run.review.runs):
        average(second.model, once(number).model, number / (number + 1))
    average(second.model, first.model, run.review.share)
    predictor = Predictor.of(second.model, second.tokenizer, run.predict)
    temperature = calibrate(second.model, predictor, data.held_out)
    return replace(second, model=as_stored(second.model), temperature=temperature)


def upper_layers_alone(model: GozarehModel, layers: int) -> GozarehModel:
    """The network, in which from now on only the upper ``layers`` of the encoder (0: all, and the embeddings) and the heads learn."""
    if not layers:
        return model
    below = model.config.num_hidden_layers - layers
    if below < 0:
        raise UserError(f"review.layers: {layers}, and the network has {model.config.num_hidden_layers}")
    kind = architecture(model.config)
    model.get_submodule(f"{kind.prefix}.embeddings").requires_grad_(requires_grad=False)
    for number in range(below):
        model.get_submodule(f"{kind.layers}.{number}").requires_grad_(requires_grad=False)
    return model


@torch.no_grad()
def average(network: nn.Module, other: nn.Module, share: float) -> None:
    """Make each weight of a network ``share`` of itself and the rest of the other's. A fine-tuned network so keeps what it would else
    forget (WiSE-FT, Wortsman et al. 2022), and several learn together what each learns alone (model soups, by the same).
    """
    for own, others in zip(network.parameters(), other.parameters(), strict=True):
        own.lerp_(others, 1 - share)


def review_set(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """The sentences whose claim was read or that were written, and as many others."""
    read = [example for example in examples if example.claim_by_hand]
    others = [example for example in examples if not example.claim_by_hand]
    return read, random.Random(seed).sample(others, min(len(read), len(others)))

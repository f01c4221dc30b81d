"""The stages of a run: weak labels, then the sentences that were read, and again on what the network itself has read."""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.encoders import Encoder
from models.predictor import Predictor
from models.records import Example
from models.settings import Settings

from .dataset import Labelled
from .fit import Fit, fit
from .self_training import relabel

log = logging.getLogger(__name__)


def fit_stages(run: Settings, encoder: Encoder, data: Labelled, folder: Path) -> Fit:
    """Fit a network, then ``self_training.rounds`` more, each from the pretrained encoder on what the one before has read.

    Each fit has its own checkpoints in ``folder``, so that an interrupted run goes on in the stage it was in.
    """
    fitted = _fit_and_review(run, encoder, data, data.training, folder / "round-0")
    for number in range(1, run.self_training.rounds + 1):
        log.info("self-training, round %d of %d", number, run.self_training.rounds)
        teacher = Predictor.of(fitted.model, fitted.tokenizer, run.predict)
        training = relabel(teacher, data.training, run.self_training)
        fitted = _fit_and_review(run, encoder, data, training, folder / f"round-{number}")
    return fitted


def _fit_and_review(run: Settings, encoder: Encoder, data: Labelled, training: Sequence[Example], folder: Path) -> Fit:
    fitted = fit(run, encoder, training, data.held_out, folder, data.schema)
    if not (run.review.epochs and any(example.claim_by_hand for example in training)):
        return fitted
    log.info("the sentences that were read")
    train = dataclasses.replace(run.train, epochs=run.review.epochs, max_steps=0, learning_rate=run.review.learning_rate)
    second = dataclasses.replace(run, train=train)
    chosen = review_set(training, run.seed)
    return fit(second, encoder, chosen, data.held_out, folder / "reviewed", data.schema, start=fitted.model)


def review_set(examples: Sequence[Example], seed: int) -> list[Example]:
    """The sentences whose claim was read, and as many others, their weak claims masked, so that spans are not forgotten."""
    read = [example for example in examples if example.claim_by_hand]
    others = [replace(example, claim=None, claim_scores=None) for example in examples if not example.claim_by_hand]
    return [*read, *random.Random(seed).sample(others, min(len(read), len(others)))]

"""Temperature scaling of the claim head (Guo et al. 2017), folded into its weights, so that stock pipelines are calibrated too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from models.encoding import Floats
from models.labels import CLAIMS
from models.modeling import GozarehModel
from models.predictor import Predictor
from models.records import Example

from .dataset import ENOUGH

TEMPERATURES = np.geomspace(0.2, 5.0, 200)


def temperature(scores: Floats, right: Sequence[int]) -> float:
    """The temperature at which (sentences, classes) probabilities give the classes ``right`` the highest likelihood, of 0.2 to 5."""
    logits = np.log(np.clip(scores, 1e-6, None))[None] / TEMPERATURES[:, None, None]
    likelihood = np.take_along_axis(logits, np.asarray(right)[None, :, None], axis=2)[..., 0] - np.log(np.exp(logits).sum(axis=2))
    return float(TEMPERATURES[likelihood.sum(axis=1).argmax()])


def calibrate(model: GozarehModel, predictor: Predictor, examples: Sequence[Example]) -> float:
    """Divide the claim head's logits by the temperature that fits the examples' claims; gives it, 1.0 where they are too few."""
    chosen = [example for example in examples if example.claim in CLAIMS]
    if model.claim_classifier is None or len(chosen) < ENOUGH:
        return 1.0
    claims = [sentence.claim for sentence in predictor.read([example.text for example in chosen])]
    scores = np.array([[claim.scores[label] for label in CLAIMS] for claim in claims if claim])
    found = temperature(scores, [CLAIMS.index(example.claim) for example in chosen if example.claim])
    with torch.no_grad():
        for parameter in model.claim_output.parameters():
            parameter.div_(found)
    return found

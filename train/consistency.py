"""Two readings of each sentence, with other units dropped out, made to agree: R-Drop (Liang et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from models.labels import IGNORED
from models.modeling import JointOutput, of_tokens

from .batches import Batch


def disagreement(output: JointOutput, batch: Batch, totals: Tensor) -> Tensor:
    """How far the readings of a batch's first half are from those of its second, the same sentences again; a scalar.

    The Kullback-Leibler divergence, the mean of both directions: the mean over labelled tokens plus that over sentences with a claim,
    weighted as the loss is. ``totals``, (2,), are the weights of all the step's, to divide by.
    """
    assert output.logits is not None
    spans, claims = totals.unbind()
    weights = batch["weights"].float()
    of_spans = (batch["labels"] != IGNORED) * of_tokens(weights, batch.get("bounds"), output.logits)
    found = _between_halves(output.logits.flatten(0, 1), of_spans.flatten(), spans)
    if output.claim_logits is not None:
        found = found + _between_halves(output.claim_logits, (batch["claim_targets"].sum(dim=-1) > 0) * weights, claims)
    return found


def _between_halves(logits: Tensor, weights: Tensor, total: Tensor) -> Tensor:
    """(2n, classes) logits and (2n,) weights -> the weighted sum of n divergences over the total."""
    first, second = logits.float().log_softmax(dim=-1).chunk(2)
    divergence = ((first.exp() - second.exp()) * (first - second)).sum(dim=-1) / 2
    return (divergence * weights.chunk(2)[0]).sum() / total.clamp(min=1e-6)

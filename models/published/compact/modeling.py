"""The two-headed network: one BERT encoder, a tag for every token and a claim class for the sentence, in one pass.

Parameter names are those of ``BertForTokenClassification`` plus ``claim_classifier``, and the claim head reads the pooled first token as
``BertForSequenceClassification`` does: so each head of a published folder also loads in the stock class, with no code of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.utils.generic import ModelOutput

from .errors import UserError
from .labels import IGNORED, Schema

CLAIM_DOOR = 'pipeline("text-classification", FOLDER + "/claim"), or from the hub model_kwargs={"subfolder": "claim"}'


@dataclass
class JointOutput(ModelOutput):
    """``loss`` (scalar, with targets only), ``logits`` (batch, tokens, tags), ``claim_logits`` (batch, claims; None without that head),
    ``hidden_states`` (of the embeddings and each layer, (batch, tokens, width); where ``output_hidden_states`` asks for them).
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    claim_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class GozarehConfig(BertConfig):
    """BERT's configuration. Where a folder's own code is trusted, it also says which class the task "gozareh" is.

    That entry is no part of config.json: there it would forbid the task to those who trust ``import gozareh`` alone.
    """

    @property
    def custom_pipelines(self) -> dict[str, Any]:
        """A new dictionary each time, since ``transformers.pipeline`` changes the one it gets."""
        return {"gozareh": {"impl": "pipeline.GozarehPipeline", "pt": ["AutoModel"]}}


class GozarehModel(BertPreTrainedModel):
    """BERT with a span head and, where the configuration names claim classes, a claim head."""

    config_class = GozarehConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        try:
            self.schema = schema_of(config)
        except ValueError:
            raise UserError(
                f"{config.name_or_path or 'the configuration'}: its labels are no span tags; name the published folder itself, "
                f"or for its claim head alone call {CLAIM_DOOR}"
            ) from None
        self.bert = BertModel(config, add_pooling_layer=bool(self.schema.claims))
        self.dropout = nn.Dropout(config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, len(self.schema.tags))
        self.claim_classifier = nn.Linear(config.hidden_size, len(self.schema.claims)) if self.schema.claims else None
        self.post_init()  # type: ignore[no-untyped-call]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As of any network, but a tensor that the weights lack is a UserError: transformers would fill it with random numbers."""
        report_too = kwargs.pop("output_loading_info", False)
        loaded: Any = super().from_pretrained(pretrained_model_name_or_path, *args, output_loading_info=True, **kwargs)
        model, report = loaded
        if missing := sorted(report["missing_keys"]):
            raise UserError(
                f"{pretrained_model_name_or_path}: its weights lack {len(missing)} tensors, such as {missing[0]}; publish the model again"
            )
        return (model, report) if report_too else model

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        label_scores: Tensor | None = None,
        claim_targets: Tensor | None = None,
        weights: Tensor | None = None,
        totals: Tensor | None = None,
        bounds: Tensor | None = None,
        longest: int = 0,
        **kwargs: Any,
    ) -> JointOutput:
        """Read a batch.

        ``labels``: (batch, tokens) tag ids, -100 where masked; ``label_scores``: (batch, tokens), the probability of each label, the rest
        being ``O``'s; ``claim_targets``: (batch, claims) distributions, all zeros where masked; ``weights``: (batch,).
        The loss is the mean cross entropy over unmasked tokens plus that over unmasked sentences, each weighted by ``weights``. Where the
        batch is a part of a larger one, ``totals``, (2,), are the weights of that one's unmasked tokens and sentences, to divide by.

        Sentences may also lie one after another in a single row, read with an attention that keeps them apart: ``bounds``, (sentences +
        1,) 32-bit, then says where each begins and the last ends, ``longest`` how many tokens the longest has; claims are still a row
        a sentence.
        """
        if bounds is not None:
            kwargs |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}
        encoded = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids, **kwargs)
        logits = self.classifier(self.dropout(encoded.last_hidden_state))
        claim_logits = None
        if self.claim_classifier is not None and self.bert.pooler is not None:
            pooled = encoded.pooler_output if bounds is None else self.bert.pooler(encoded.last_hidden_state[0, bounds[:-1], None])
            claim_logits = self.claim_classifier(self.dropout(pooled))
        losses = []
        spans_total, claims_total = (None, None) if totals is None else totals.unbind()
        if labels is not None:
            losses.append(span_loss(logits, labels, label_scores, _of_tokens(weights, bounds, logits), spans_total))
        if claim_targets is not None and claim_logits is not None:
            losses.append(claim_loss(claim_logits, claim_targets, weights, claims_total))
        return JointOutput(
            loss=torch.stack(losses).sum() if losses else None,
            logits=logits,
            claim_logits=claim_logits,
            hidden_states=encoded.hidden_states,
        )


class ClaimsElsewhere(GozarehModel):
    """What AutoModelForSequenceClassification finds in a folder whose code is trusted: the right call, in a UserError."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *_: Any, **__: Any) -> Any:
        """Raise it: the stock class would put the span head over the sentence and say nothing."""
        raise UserError(f"{pretrained_model_name_or_path}: its claim head is in its claim/; call {CLAIM_DOOR}")


def _of_tokens(weights: Tensor | None, bounds: Tensor | None, logits: Tensor) -> Tensor | None:
    """(sentences,) weights as a column, or, of a packed batch, as (1, tokens)."""
    if weights is None or bounds is None:
        return None if weights is None else weights.unsqueeze(-1)
    return weights.repeat_interleave(bounds.diff(), output_size=logits.shape[1])[None]


def span_loss(
    logits: Tensor, labels: Tensor, scores: Tensor | None = None, weights: Tensor | None = None, total: Tensor | None = None
) -> Tensor:
    """Mean cross entropy, a scalar, of (batch, tokens, tags) logits against soft tags: ``scores`` on the label, the rest on ``O``.

    ``weights`` are (batch, 1) or (batch, tokens); ``total`` is divided by in place of the unmasked tokens' weight.
    """
    log_probs = logits.float().log_softmax(dim=-1)
    known = (labels != IGNORED).float()
    of_label = log_probs.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    confidence = torch.ones_like(of_label) if scores is None else scores.float()
    entropy = -(confidence * of_label + (1 - confidence) * log_probs[..., 0])
    if weights is not None:
        known = known * weights.float()
    return (entropy * known).sum() / (known.sum() if total is None else total).clamp(min=1e-6)


def claim_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None, total: Tensor | None = None) -> Tensor:
    """Mean cross entropy, a scalar, of (batch, claims) logits against distributions; an all-zero row has no label and does not count.

    ``total`` is divided by in place of the labelled rows' weight.
    """
    known = (targets.sum(dim=-1) > 0).float()
    if weights is not None:
        known = known * weights.float()
    entropy = -(targets.float() * logits.float().log_softmax(dim=-1)).sum(dim=-1)
    return (entropy * known).sum() / (known.sum() if total is None else total).clamp(min=1e-6)


def schema_of(config: Any) -> Schema:
    """The label schema that a configuration carries. Raises ValueError where its labels are no BIO tag set."""
    return Schema.from_config(config.id2label, getattr(config, "claim_id2label", None))


def joint_model(encoder: BertModel, schema: Schema) -> GozarehModel:
    """A network with new heads over a pretrained encoder, whose weights it takes over."""
    config = GozarehConfig.from_dict(encoder.config.to_dict() | schema.to_config())
    config.architectures = ["BertForTokenClassification"]
    model = GozarehModel(config)
    model.bert.load_state_dict(encoder.state_dict(), strict=False)  # an encoder may come without a pooler: that stays new
    return model

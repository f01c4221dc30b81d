"""The two-headed network: one encoder, a tag for every token and a claim class for the sentence, in one pass.

Parameter names are those of the stock class for tokens, ``BertForTokenClassification`` and its like, plus those of the one for sentences
with ``claim_`` before them, and the claim head reads the first token as that class does: so each head of a published folder also loads in
the stock class, with no code of ours. ``GozarehModel`` is BERT's; of the other kinds of encoder (see ``architectures``) each has a class
that says what differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    BertPreTrainedModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)
from transformers.models.modernbert.modeling_modernbert import ModernBertPredictionHead
from transformers.utils.generic import ModelOutput

from .architectures import ARCHITECTURES, GLOBAL, KINDS, LOCAL, architecture
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


class _Config:
    """Where a folder's own code is trusted, a configuration also says which class the task "gozareh" is.

    That entry is no part of config.json: there it would forbid the task to those who trust ``import gozareh`` alone.
    """

    @property
    def custom_pipelines(self) -> dict[str, Any]:
        """A new dictionary each time, since ``transformers.pipeline`` changes the one it gets."""
        return {"gozareh": {"impl": "pipeline.GozarehPipeline", "pt": ["AutoModel"]}}


class GozarehConfig(_Config, BertConfig):
    """BERT's."""


class GozarehRobertaConfig(_Config, RobertaConfig):
    """RoBERTa's."""


class GozarehXLMRobertaConfig(_Config, XLMRobertaConfig):
    """XLM-R's."""


class GozarehModernBertConfig(_Config, ModernBertConfig):
    """ModernBERT's."""


class GozarehModel(BertPreTrainedModel):
    """An encoder with a span head and, where the configuration names claim classes, a claim head."""

    config_class: Any = GozarehConfig
    encoder_class: Any = BertModel
    packed_mask: Any = None  # what the encoder takes for none, so that it makes none of its own

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        try:
            self.schema = schema_of(config)
        except ValueError:
            raise UserError(
                f"{config.name_or_path or 'the configuration'}: its labels are no span tags; name the published folder itself, "
                f"or for its claim head alone call {CLAIM_DOOR}"
            ) from None
        setattr(self, self.base_model_prefix, self.new_encoder(config))
        self.dropout = nn.Dropout(_dropout(config))
        self.classifier = nn.Linear(config.hidden_size, len(self.schema.tags))
        self.claim_classifier = self.new_claim_classifier(config) if self.schema.claims else None
        self.post_init()  # type: ignore[no-untyped-call]

    # --- what differs by the kind of encoder; here, BERT's ---

    def new_encoder(self, config: Any) -> Any:
        """The encoder, new."""
        return self.encoder_class(config, add_pooling_layer=bool(self.schema.claims))

    def new_claim_classifier(self, config: Any) -> nn.Module:
        """The claim head, new, or the last part of it."""
        return nn.Linear(config.hidden_size, len(self.schema.claims))

    def tags_of(self, states: Tensor) -> Tensor:
        """(batch, tokens, width) states of the last layer -> (batch, tokens, tags) logits."""
        logits: Tensor = self.classifier(self.dropout(states))
        return logits

    def claims_of(self, firsts: Tensor) -> Tensor:
        """(sentences, width) states of sentences' first tokens -> (sentences, claims) logits."""
        assert self.claim_classifier is not None
        encoder: Any = self.base_model
        logits: Tensor = self.claim_classifier(self.dropout(encoder.pooler(firsts[:, None])))
        return logits

    @property
    def claim_output(self) -> nn.Linear:
        """The layer that gives the claims' logits."""
        assert isinstance(self.claim_classifier, nn.Linear)
        return self.claim_classifier

    # --- what is the same for all ---

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As of any network, but a tensor that the weights lack is a UserError: transformers would fill it with random numbers.

        ``GozarehModel.from_pretrained`` gives the class of the encoder's kind.
        """
        if cls is GozarehModel:
            config = kwargs.get("config")
            fields = PreTrainedConfig.get_config_dict(pretrained_model_name_or_path)[0] if config is None else {}
            own = joint_class(fields.get("model_type") if config is None else config.model_type)
            if own is not cls:
                return own.from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
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
            attention_mask = self.packed_mask
            kwargs |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}
        if token_type_ids is not None:
            kwargs["token_type_ids"] = token_type_ids
        encoded = self.base_model(input_ids, attention_mask=attention_mask, **kwargs)
        states = encoded.last_hidden_state
        logits = self.tags_of(states)
        claim_logits = None
        if self.claim_classifier is not None:
            claim_logits = self.claims_of(states[:, 0] if bounds is None else states[0, bounds[:-1]])
        losses = []
        spans_total, claims_total = (None, None) if totals is None else totals.unbind()
        if labels is not None:
            token_weights = None if weights is None else of_tokens(weights, bounds, logits)
            losses.append(span_loss(logits, labels, label_scores, token_weights, spans_total))
        if claim_targets is not None and claim_logits is not None:
            losses.append(claim_loss(claim_logits, claim_targets, weights, claims_total))
        return JointOutput(
            loss=torch.stack(losses).sum() if losses else None,
            logits=logits,
            claim_logits=claim_logits,
            hidden_states=encoded.hidden_states,
        )


class GozarehRobertaModel(GozarehModel):
    """RoBERTa's: the claim head has a layer of its own where BERT has a pooler."""

    config_class: Any = GozarehRobertaConfig
    encoder_class: Any = RobertaModel
    base_model_prefix = ARCHITECTURES["roberta"].prefix

    def new_encoder(self, config: Any) -> Any:
        """See ``GozarehModel``."""
        return self.encoder_class(config, add_pooling_layer=False)

    def new_claim_classifier(self, config: Any) -> nn.Module:
        """See ``GozarehModel``."""
        return RobertaClaimHead(config, len(self.schema.claims))

    def claims_of(self, firsts: Tensor) -> Tensor:
        """See ``GozarehModel``."""
        assert self.claim_classifier is not None
        logits: Tensor = self.claim_classifier(firsts)
        return logits

    @property
    def claim_output(self) -> nn.Linear:
        """See ``GozarehModel``."""
        assert isinstance(self.claim_classifier, RobertaClaimHead)
        return self.claim_classifier.out_proj


class GozarehXLMRobertaModel(GozarehRobertaModel):
    """XLM-R's, which is RoBERTa's."""

    config_class = GozarehXLMRobertaConfig
    encoder_class = XLMRobertaModel


class RobertaClaimHead(nn.Module):
    """transformers' RobertaClassificationHead, of first tokens and not of all."""

    def __init__(self, config: Any, claims: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(_dropout(config))
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, claims)

    def forward(self, firsts: Tensor) -> Tensor:
        """(sentences, width) -> (sentences, claims)."""
        logits: Tensor = self.out_proj(self.dropout(self.dense(self.dropout(firsts)).tanh()))
        return logits


class GozarehModernBertModel(GozarehModel):
    """ModernBERT's: each head has a layer of its own under it, and the sentence's is of the first token (``classifier_pooling`` "cls")."""

    config_class = GozarehModernBertConfig
    encoder_class = ModernBertModel
    base_model_prefix = ARCHITECTURES["modernbert"].prefix
    packed_mask: Any = {LOCAL: None, GLOBAL: None}  # noqa: RUF012 - never changed

    def new_encoder(self, config: Any) -> Any:
        """See ``GozarehModel``; the layers under the heads are made with it."""
        self.head = ModernBertPredictionHead(config)
        self.claim_head = ModernBertPredictionHead(config) if self.schema.claims else None
        return self.encoder_class(config)

    def tags_of(self, states: Tensor) -> Tensor:
        """See ``GozarehModel``."""
        return super().tags_of(self.head(states))

    def claims_of(self, firsts: Tensor) -> Tensor:
        """See ``GozarehModel``."""
        assert self.claim_head is not None
        logits: Tensor = self.claim_output(self.dropout(self.claim_head(firsts)))
        return logits


class ClaimsElsewhere:
    """What AutoModelForSequenceClassification finds in a folder whose code is trusted: the right call, in a UserError."""

    @classmethod
    def register_for_auto_class(cls, *_: Any, **__: Any) -> None:
        """Transformers calls it before ``from_pretrained``."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *_: Any, **__: Any) -> Any:
        """Raise it: the stock class would put the span head over the sentence and say nothing."""
        raise UserError(f"{pretrained_model_name_or_path}: its claim head is in its claim/; call {CLAIM_DOOR}")


def of_tokens(weights: Tensor, bounds: Tensor | None, logits: Tensor) -> Tensor:
    """(sentences,) weights as a column, (sentences, 1), or, of a packed batch, as (1, tokens)."""
    return weights.unsqueeze(-1) if bounds is None else weights.repeat_interleave(bounds.diff(), output_size=logits.shape[1])[None]


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


def joint_class(kind: str | None) -> type[GozarehModel]:
    """The network's class, by the ``model_type`` of a configuration. Raises UserError for one that there is none for."""
    if kind not in _CLASSES:
        raise UserError(f"an encoder of the kind {kind!r}, and only {KINDS} will do")
    return _CLASSES[kind]


def joint_model(encoder: PreTrainedModel, schema: Schema) -> GozarehModel:
    """A network with new heads over a pretrained encoder, whose weights it takes over."""
    kind = joint_class(encoder.config.model_type)
    fields = encoder.config.to_dict() | schema.to_config()
    if "classifier_pooling" in fields:
        fields["classifier_pooling"] = "cls"
    config = kind.config_class.from_dict(fields)
    config.architectures = [architecture(config).spans]
    model = kind(config)
    model.base_model.load_state_dict(encoder.state_dict(), strict=False)  # an encoder may come without a pooler: that stays new
    return model


def _dropout(config: Any) -> float:
    """That before a head."""
    own = config.classifier_dropout
    return float(config.hidden_dropout_prob if own is None else own)


_CLASSES = {
    kind.config_class.model_type: kind for kind in (GozarehModel, GozarehRobertaModel, GozarehXLMRobertaModel, GozarehModernBertModel)
}

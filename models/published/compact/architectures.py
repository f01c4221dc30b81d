"""The kinds of encoder that are read: what transformers calls their classes and tensors, and what their config.json may say.

All that differs by kind and needs neither torch nor transformers is in the table at the end; the networks are in ``modeling``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Shapes = dict[str, tuple[int, ...]]
Record = Mapping[str, Any]  # of a config.json

LOCAL, GLOBAL = "sliding_attention", "full_attention"  # ModernBERT's layers


@dataclass(frozen=True)
class Architecture:
    """A kind of encoder.

    ``stock`` begins its classes' names, ``prefix`` its encoder's tensors, ``layers`` and a number those of a layer. ``sizes``: what a size
    is where config.json does not say, and a number far beyond any such encoder. ``ids``: the same of special tokens. ``activations``,
    ``fractions``, ``switches``: fields and what they are where config.json does not say; ``others`` are checked apart. ``encoder``,
    ``span_head`` and ``claim_head``: the shapes of tensors, by the names that the stock classes give them.
    """

    stock: str
    prefix: str
    layers: str
    sizes: Mapping[str, tuple[int, int]]
    ids: Mapping[str, int | None]
    activations: Mapping[str, str]
    fractions: tuple[str, ...]
    encoder: Callable[[Architecture, Record, bool], Shapes]
    claim_head: Callable[[Architecture, Record, int], Shapes]
    span_head: Callable[[Architecture, Record, int], Shapes]
    switches: Mapping[str, bool] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    after_padding: bool = False  # positions are counted from the one after the padding's id

    @property
    def joint(self) -> str:
        """Our class of the two-headed network, in ``modeling``."""
        return "GozarehModel" if self.stock == "Bert" else f"Gozareh{self.stock}Model"

    @property
    def spans(self) -> str:
        """The stock class of the span head."""
        return f"{self.stock}ForTokenClassification"

    @property
    def claims(self) -> str:
        """The stock class of the claim head."""
        return f"{self.stock}ForSequenceClassification"

    def size(self, record: Record, name: str) -> Any:
        """A size as config.json has it or, where it does not say, as transformers has it."""
        return record.get(name, self.sizes[name][0])

    def positions(self, record: Record) -> int:
        """The most tokens that the encoder reads at once."""
        positions = int(self.size(record, "max_position_embeddings"))
        padding = record.get("pad_token_id", self.ids["pad_token_id"])
        return positions - (padding or 0) - 1 if self.after_padding else positions

    def read(self) -> frozenset[str]:
        """The fields of config.json that a network is built of. Others may name code, kernels or files: they are passed over."""
        ours = ("model_type", "architectures", "gozareh", "id2label", "label2id", "claim_id2label")
        return frozenset((*self.sizes, *self.ids, *self.activations, *self.fractions, *self.switches, *self.others, *ours))

    def network(self, record: Record, tags: int, claims: int) -> Shapes:
        """The tensors of the two-headed network: those of the stock classes, the claim head's under names that begin with ``claim_``."""
        head = self.claim_head(self, record, claims) if claims else {}
        return (
            self.encoder(self, record, bool(claims))
            | self.span_head(self, record, tags)
            | {f"claim_{name}": shape for name, shape in head.items()}
        )

    def claim_network(self, record: Record, claims: int) -> Shapes:
        """The tensors of the claim head's stock class."""
        return self.encoder(self, record, True) | self.claim_head(self, record, claims)


def architecture(config: Any) -> Architecture:
    """That of one of transformers' configurations."""
    return ARCHITECTURES[config.model_type]


def _linear(name: str, outputs: int, inputs: int, bias: bool = True) -> Shapes:
    return {f"{name}.weight": (outputs, inputs)} | ({f"{name}.bias": (outputs,)} if bias else {})


def _norm(name: str, width: int, bias: bool = True) -> Shapes:
    return {f"{name}.{part}": (width,) for part in ("weight", *(["bias"] if bias else []))}


def _one_layer_head(of: Architecture, record: Record, outputs: int) -> Shapes:
    return _linear("classifier", outputs, of.size(record, "hidden_size"))


# --- BERT, RoBERTa and XLM-R ---


def _bert(of: Architecture, record: Record, pooled: bool) -> Shapes:
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "max_position_embeddings", "type_vocab_size")
    words, width, layers, inner, positions, types = (of.size(record, name) for name in sizes)
    embeddings = f"{of.prefix}.embeddings."
    shapes = {
        f"{embeddings}word_embeddings.weight": (words, width),
        f"{embeddings}position_embeddings.weight": (positions, width),
        f"{embeddings}token_type_embeddings.weight": (types, width),
    } | _norm(f"{embeddings}LayerNorm", width)
    for i in range(layers):
        layer = f"{of.layers}.{i}."
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{layer}attention.self.{part}", width, width)
        shapes |= _linear(f"{layer}attention.output.dense", width, width) | _norm(f"{layer}attention.output.LayerNorm", width)
        shapes |= _linear(f"{layer}intermediate.dense", inner, width)
        shapes |= _linear(f"{layer}output.dense", width, inner) | _norm(f"{layer}output.LayerNorm", width)
    return shapes | (_linear(f"{of.prefix}.pooler.dense", width, width) if pooled else {})


def _roberta(of: Architecture, record: Record, _: bool) -> Shapes:
    return _bert(of, record, False)  # what BERT has in its pooler is in the head


def _roberta_head(of: Architecture, record: Record, outputs: int) -> Shapes:
    width = of.size(record, "hidden_size")
    return _linear("classifier.dense", width, width) | _linear("classifier.out_proj", outputs, width)


_BERT_SIZES = {
    "vocab_size": (30_522, 10_000_000),
    "hidden_size": (768, 16_384),
    "num_hidden_layers": (12, 256),
    "num_attention_heads": (12, 1_024),
    "intermediate_size": (3_072, 131_072),
    "max_position_embeddings": (512, 1_000_000),
    "type_vocab_size": (2, 1_000),
}
_BERT = Architecture(
    stock="Bert",
    prefix="bert",
    layers="bert.encoder.layer",
    sizes=_BERT_SIZES,
    ids={"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None},
    activations={"hidden_act": "gelu"},
    fractions=("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "initializer_range"),
    encoder=_bert,
    span_head=_one_layer_head,
    claim_head=_one_layer_head,
)


def _like_roberta(stock: str, pieces: int) -> Architecture:
    return Architecture(
        stock=stock,
        prefix="roberta",
        layers="roberta.encoder.layer",
        sizes=_BERT_SIZES | {"vocab_size": (pieces, 10_000_000)},
        ids={"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
        activations=_BERT.activations,
        fractions=_BERT.fractions,
        encoder=_roberta,
        span_head=_one_layer_head,
        claim_head=_roberta_head,
        after_padding=True,
    )


# --- ModernBERT ---


def _modernbert(of: Architecture, record: Record, _: bool) -> Shapes:
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size")
    words, width, layers, inner = (of.size(record, name) for name in sizes)
    norm, attention, mlp = (record.get(name, of.switches[name]) for name in ("norm_bias", "attention_bias", "mlp_bias"))
    shapes: Shapes = {"model.embeddings.tok_embeddings.weight": (words, width)} | _norm("model.embeddings.norm", width, norm)
    for i in range(layers):
        layer = f"{of.layers}.{i}."
        shapes |= _norm(f"{layer}attn_norm", width, norm) if i else {}
        shapes |= _linear(f"{layer}attn.Wqkv", 3 * width, width, attention) | _linear(f"{layer}attn.Wo", width, width, attention)
        shapes |= _norm(f"{layer}mlp_norm", width, norm)
        shapes |= _linear(f"{layer}mlp.Wi", 2 * inner, width, mlp) | _linear(f"{layer}mlp.Wo", width, inner, mlp)
    return shapes | _norm("model.final_norm", width, norm)


def _modernbert_head(of: Architecture, record: Record, outputs: int) -> Shapes:
    width = of.size(record, "hidden_size")
    norm, bias = (record.get(name, of.switches[name]) for name in ("norm_bias", "classifier_bias"))
    return _linear("head.dense", width, width, bias) | _norm("head.norm", width, norm) | _linear("classifier", outputs, width)


_MODERNBERT = Architecture(
    stock="ModernBert",
    prefix="model",
    layers="model.layers",
    sizes={
        "vocab_size": (50_368, 10_000_000),
        "hidden_size": (768, 16_384),
        "num_hidden_layers": (22, 256),
        "num_attention_heads": (12, 1_024),
        "intermediate_size": (1_152, 131_072),
        "max_position_embeddings": (8_192, 1_000_000),
        "local_attention": (128, 1_000_000),
    },
    ids={"pad_token_id": 50_283, "bos_token_id": 50_281, "eos_token_id": 50_282, "cls_token_id": 50_281, "sep_token_id": 50_282},
    activations={"hidden_activation": "gelu", "classifier_activation": "gelu"},
    fractions=("norm_eps", "embedding_dropout", "mlp_dropout", "attention_dropout", "classifier_dropout", "initializer_range"),
    switches={"norm_bias": False, "attention_bias": False, "mlp_bias": False, "classifier_bias": False},
    others=("layer_types", "rope_parameters", "classifier_pooling"),
    encoder=_modernbert,
    span_head=_modernbert_head,
    claim_head=_modernbert_head,
)


ARCHITECTURES: Mapping[str, Architecture] = {  # by transformers' ``model_type``
    "bert": _BERT,
    "roberta": _like_roberta("Roberta", 50_265),
    "xlm-roberta": _like_roberta("XLMRoberta", 30_522),
    "modernbert": _MODERNBERT,
}
KINDS = ", ".join(ARCHITECTURES)

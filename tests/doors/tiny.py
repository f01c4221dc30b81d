"""A tiny network whose answers are known: its weights are set by hand, so that each word has the tag that the tables here give it.

One layer, 16 wide. The first nine dimensions stand for the tags, three more for the claims, one for [CLS]. Attention is even and carries
the claims' dimensions alone, so a tag depends on its word and a claim on the sentence's words, not on their places: any window of a text
reads as the text does, in 16 bits and in 8. It reads the sentences of ``TEXTS``, which any other model of these labels reads as well.
"""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from models.labels import Schema
from models.modeling import GozarehModel, joint_model

READING = {"window": 80, "overlap": 16, "claim_threshold": 0.5}
REPORT = {
    "name": "tiny",
    "base_model": "none",
    "licence": "apache-2.0",
    "settings": {"name": "tiny", "predict": READING},
    "versions": {},
    "data": {},
}

_SENTENCES = [
    "حامد فلاحی، وزیر کار گفت: ۴۰۰ مرکز افتتاح شد.",
    "مریم رضایی، رئیس سازمان بهزیستی، طرح توانمندسازی را در ۳۱ مرکز افتتاح کرد.",
    "۱۲ هزار نفر تحت پوشش هستند.",
    "طرح توانمندسازی در ۷ مرکز اجرا می‌شود.",
    "بله.",
]
_CLAUSES = ["حامد فلاحی وزیر کار ۴۰۰ مرکز را در طرح توانمندسازی افتتاح کرد", "۱۲ هزار نفر تحت پوشش هستند"]
TEXTS = [
    *_SENTENCES,
    " ".join(_SENTENCES),
    "\n".join(reversed(_SENTENCES)),
    " و ".join(_CLAUSES * 25),  # one sentence, longer than any window
    "",
]

_SPECIALS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
_DIGITS = "۰۱۲۳۴۵۶۷۸۹"
_TAGS = {
    "B-PERSON": ["حامد", "مریم"],
    "I-PERSON": ["فلاحی", "رضایی"],
    "B-ROLE": ["وزیر", "رئیس"],
    "I-ROLE": ["کار", "سازمان", "بهزیستی"],
    "B-NUMBER": list(_DIGITS),
    "I-NUMBER": ["هزار", *(f"##{digit}" for digit in _DIGITS)],
    "B-PROGRAM": ["طرح"],
    "I-PROGRAM": ["توانمندسازی"],
}
_CLAIMS = {"ANNOUNCEMENT": ["شد", "کرد"], "STATISTIC": ["هستند"], "POLICY": ["می\u200cشود"]}
_OTHERS = ["گفت", "مرکز", "افتتاح", "را", "در", "نفر", "تحت", "پوشش", "اجرا", "بله", "و", ".", "،", ":"]
_WIDTH, _FIRST_CLAIM, _CLS = 16, 9, 12


def tiny() -> tuple[GozarehModel, PreTrainedTokenizerFast]:
    """The network and its tokenizer."""
    tokenizer = _tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=_WIDTH,
        max_position_embeddings=96,
        pad_token_id=tokenizer.pad_token_id,
    )
    schema = Schema()
    model = joint_model(BertModel(config), schema).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.zero_()
        _set_words(model.bert.embeddings.word_embeddings.weight, tokenizer, schema)
        claims = torch.zeros(_WIDTH)
        claims[_FIRST_CLAIM : _FIRST_CLAIM + len(schema.claims)] = 1.0
        attention = model.bert.encoder.layer[0].attention
        attention.self.value.weight.copy_(torch.diag(claims))
        attention.output.dense.weight.copy_(torch.diag(10 * claims))
        model.bert.pooler.dense.weight.copy_(torch.diag(claims))
        model.classifier.weight.copy_(8 * torch.eye(_WIDTH)[: len(schema.tags)])
        model.claim_classifier.weight.copy_(6 * torch.eye(_WIDTH)[claims.bool()])
    return model, tokenizer


def _tokenizer() -> PreTrainedTokenizerFast:
    """Words as they are, numbers a digit at a time."""
    words = [word for table in (_TAGS, _CLAIMS) for group in table.values() for word in group]
    pieces = [*_SPECIALS.values(), *words, *_OTHERS]
    backend = Tokenizer(WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = [(token, pieces.index(token)) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=96, **_SPECIALS)


def _set_words(embeddings: torch.Tensor, tokenizer: PreTrainedTokenizerFast, schema: Schema) -> None:
    """One dimension a word, that of its tag; a word that tells a claim has that claim's too."""
    embeddings[:, 0] = 1.0
    for i, group in enumerate(_TAGS.get(tag, []) for tag in schema.tags):
        for token in tokenizer.convert_tokens_to_ids(group):
            embeddings[token] = torch.eye(_WIDTH)[i]
    for i, claim in enumerate(schema.claims, _FIRST_CLAIM):
        embeddings[tokenizer.convert_tokens_to_ids(_CLAIMS[claim]), i] = 1.0
    embeddings[tokenizer.cls_token_id] = torch.eye(_WIDTH)[_CLS]

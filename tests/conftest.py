"""A tiny model, built here and never fetched: one layer, 16 wide, random weights of a fixed seed, a WordPiece vocabulary of letters."""

import os
import shutil
import signal

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client: no test goes to the network

import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from models.labels import Schema
from models.modeling import joint_model

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background ignores Ctrl-C, and so would the tests' commands

SPECIALS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
CHARACTERS = "آابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیءأإئؤةۀكي\u200c" + "0123456789۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩" + ".,،؛:؟!?«»()[]/-%٪٫٬…\"'"
READING = {"format": 1, "window": 48, "overlap": 12, "claim_threshold": 0.5}


@pytest.fixture(scope="session")
def tiny_tokenizer():
    pieces = [*SPECIALS.values(), *CHARACTERS, *(f"##{character}" for character in CHARACTERS), "##ها", "##ان", "می", "گفت", "است"]
    backend = Tokenizer(WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = [(token, pieces.index(token)) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **SPECIALS)


@pytest.fixture(scope="session")
def tiny_encoder(tiny_tokenizer):
    """A BertModel with a pooler."""
    torch.manual_seed(13)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=tiny_tokenizer.pad_token_id,
    )
    return BertModel(config).eval()


@pytest.fixture(scope="session")
def tiny_model(tiny_encoder):
    """The joint network; its heads are wide enough awake to find spans and to choose claims. Copy it before changing it."""
    torch.manual_seed(13)
    model = joint_model(tiny_encoder, Schema())
    torch.nn.init.normal_(model.classifier.weight, std=0.6)
    torch.nn.init.normal_(model.claim_classifier.weight, std=0.6)
    model.config.gozareh = dict(READING)
    return model.eval()


@pytest.fixture(scope="session")
def tiny_folder(tiny_model, tiny_tokenizer, tmp_path_factory):
    """The tiny model as saved. Not to be changed: a test that does takes ``model_folder``."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def model_folder(tiny_folder, tmp_path):
    """A copy of ``tiny_folder`` to break."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.fixture(scope="session")
def tiny_report():
    """What publishing is told of the run that made a tiny model."""
    return {
        "name": "tiny",
        "base_model": "tiny (licence: apache-2.0)",
        "licence": "apache-2.0",
        "settings": {"name": "tiny", "predict": {name: value for name, value in READING.items() if name != "format"}},
        "versions": {"torch": "2.13.0"},
        "data": {},
    }

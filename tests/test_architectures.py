"""Each kind of encoder, of random weights, all the way: trained a few steps, published, and read through every door.

Those of BERT's kind that the README names are cased and uncased BERTs; the other tests are on such a one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import (
    AutoConfig,
    BertConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
    XLMRobertaTokenizer,
)

from models import settings
from models.architectures import ARCHITECTURES, architecture
from models.encoders import load_encoder
from models.errors import UserError
from models.folder import check_folder
from models.labels import Schema
from models.modeling import GozarehModel, joint_class, joint_model
from models.predictor import load
from models.records import read_examples
from models.torch_engine import load_network
from train.batches import packed, padded
from train.dataset import split_by_article, to_rows
from train.export import export_onnx
from train.fit import fit
from train.publish import publish
from train.trainer import parameter_groups, reading_packed

EXAMPLES = [e for e in read_examples("seeds/gold.jsonl") if e.claim != "NONE"]  # here only as something labelled to fit
TRAINING, HELD_OUT = split_by_article(EXAMPLES)
TEXTS = [example.text for example in HELD_OUT][:6]
SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
LETTERS = sorted({letter for example in EXAMPLES for letter in example.text if not letter.isspace()})
SPECIALS = {"cls_token": "<s>", "bos_token": "<s>", "sep_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
KINDS = sorted(ARCHITECTURES)


def xlm_roberta_tokenizer(tiny_tokenizer):
    """XLM-R's own class, of letters, its special tokens where XLM-R has them."""
    pieces = [
        ("<s>", 0.0),
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁", -2.0),
        *((letter, -3.0) for letter in LETTERS),
        ("<mask>", 0.0),
    ]
    return XLMRobertaTokenizer(vocab=pieces, model_max_length=80)


def roberta_tokenizer(tiny_tokenizer):
    """Pieces are bytes: two or three tokens a letter."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(BPE({piece: i for i, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=80, **SPECIALS)


TOKENIZERS = {"xlm-roberta": xlm_roberta_tokenizer, "roberta": roberta_tokenizer}
CONFIGS = {
    "bert": partial(BertConfig, max_position_embeddings=80),
    "roberta": partial(RobertaConfig, max_position_embeddings=82),
    "xlm-roberta": partial(XLMRobertaConfig, max_position_embeddings=82, type_vocab_size=1),
    "modernbert": partial(ModernBertConfig, max_position_embeddings=80, local_attention=16, classifier_pooling="mean"),
}


@pytest.fixture(scope="session", params=KINDS)
def encoder(request, tiny_tokenizer, tmp_path_factory):
    """An encoder, saved and loaded as from the hub; no dropout, so that ways of computing can be compared."""
    folder = tmp_path_factory.mktemp("encoders") / request.param
    tokenizer = TOKENIZERS.get(request.param, lambda tiny: tiny)(tiny_tokenizer)
    torch.manual_seed(13)
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")}
    config = CONFIGS[request.param](vocab_size=len(tokenizer), **SIZES, **ids)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    joint_class(request.param).encoder_class(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_encoder(str(folder))


@pytest.fixture(scope="session")
def run():
    train = ["train.max_steps=4", "train.evaluations=1", "train.logging_steps=1", "train.precision=fp32", "train.keep=last"]
    return settings.load("configs/tiny.yaml", [*train, "predict.overlap=16", "predict.window=64"])


@dataclass
class Published:
    folder: Path
    model: GozarehModel


@pytest.fixture(scope="session")
def published(encoder, run, tmp_path_factory):
    """A few steps, then the folder with its graph; its doors are opened by publishing itself, those of its own code too."""
    fitted = fit(run, encoder, TRAINING, HELD_OUT, tmp_path_factory.mktemp("checkpoints") / "c")
    folder = tmp_path_factory.mktemp("published") / encoder.model.config.model_type
    report = {"name": "tiny", "base_model": "none", "licence": "mit", "versions": {}, "data": {}}
    report["settings"] = {"name": "tiny", "predict": {"window": 64, "overlap": 16, "claim_threshold": 0.3}}
    samples = [row.input_ids for row in to_rows(TRAINING[:20], encoder.tokenizer, fitted.model.schema, run.predict)]
    export = partial(export_onnx, fitted.model, samples)
    publish(fitted.model, fitted.tokenizer, folder, report=report, export=export, trusted=True)
    return Published(folder, fitted.model)


def test_every_kind_is_tried():
    assert CONFIGS.keys() == ARCHITECTURES.keys()


def test_it_learns(encoder, run, tmp_path):
    losses = fit(run, encoder, TRAINING, HELD_OUT, tmp_path / "c").history
    losses = [entry["loss"] for entry in losses if "loss" in entry]
    assert losses[-1] < losses[0]


def test_without_padding_it_says_what_it_says_with_it(encoder, run):
    model = joint_model(encoder.model, Schema()).eval()
    rows = to_rows(TRAINING[:8], encoder.tokenizer, model.schema, run.predict)
    kind = architecture(model.config)
    first = model.config.pad_token_id + 1 if kind.after_padding else 0
    with torch.no_grad():
        with_padding = model(**padded(rows, model.config.pad_token_id))
        with reading_packed(model):
            without = model(**packed(rows, first))
    real = torch.cat([logits[: len(row)] for logits, row in zip(with_padding.logits, rows, strict=True)])
    torch.testing.assert_close(without.logits[0], real, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(without.claim_logits, with_padding.claim_logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(without.loss, with_padding.loss, atol=1e-5, rtol=1e-4)


def test_rates_rise_by_the_layer_and_heads_have_their_own(encoder, run):
    model = joint_model(encoder.model, Schema())
    train = replace(run.train, learning_rate=1e-4, head_learning_rate=1e-3, layer_decay=0.5)
    rate = {id(parameter): group["lr"] for group in parameter_groups(model, train) for parameter in group["params"]}
    rates = {name: rate[id(parameter)] for name, parameter in model.named_parameters()}
    kind = architecture(model.config)
    of_layers = [{r for name, r in rates.items() if name.startswith(f"{kind.layers}.{i}.")} for i in range(3)]
    assert of_layers == [{0.25e-4}, {0.5e-4}, {1e-4}]
    assert {r for name, r in rates.items() if name.startswith(f"{kind.prefix}.embeddings.")} == {0.125e-4}
    heads = [name for name in rates if not name.startswith(f"{kind.prefix}.")]
    assert {"classifier.weight"} < set(heads)
    assert any(name.startswith("claim_") for name in heads)
    assert {rates[name] for name in heads} == {1e-3}


def test_the_folder_is_what_the_table_says(published):
    config = json.loads((published.folder / "config.json").read_text(encoding="utf-8"))
    claim = json.loads((published.folder / "claim" / "config.json").read_text(encoding="utf-8"))
    kind = ARCHITECTURES[config["model_type"]]
    assert config["architectures"] == [kind.spans]
    assert claim["architectures"] == [kind.claims]
    shapes = {name: tuple(tensor.shape) for name, tensor in published.model.state_dict().items()}
    assert kind.network(config, 9, 3) == shapes
    assert check_folder(published.folder).reading.window == 64


def test_the_checked_folder_is_the_network_that_was_trained(published):
    again = load_network(check_folder(published.folder)).state_dict()
    for name, tensor in published.model.state_dict().items():
        torch.testing.assert_close(again[name], tensor, atol=1e-3, rtol=1e-3, msg=name)


def test_torch_and_the_graph_read_alike(published):
    one, other = (load(published.folder, device="cpu", engine=engine) for engine in ("torch", "onnx"))
    for a, b in zip(one.word_probabilities(TEXTS), other.word_probabilities(TEXTS), strict=True):
        assert a[0] == b[0]
        assert np.abs(a[1] - b[1]).mean() < 0.05
    for a, b in zip(one.read(TEXTS), other.read(TEXTS), strict=True):
        assert a.claim.scores == pytest.approx(b.claim.scores, abs=0.1)


DOORS = """
import json, sys
from transformers import AutoModel, pipeline
folder, texts = sys.argv[1], json.load(sys.stdin)
spans = pipeline("token-classification", folder, aggregation_strategy="simple", stride=16, device="cpu")
claims = pipeline("text-classification", folder + "/claim", top_k=None, device="cpu")
within = pipeline("text-classification", folder, model_kwargs={"subfolder": "claim"}, top_k=None, device="cpu")
both = pipeline("gozareh", folder, trust_remote_code=True, device="cpu")
print(json.dumps({
    "classes": [type(door.model).__name__ for door in (spans, claims, both)] + [type(AutoModel.from_pretrained(folder)).__name__],
    "spans": [len(spans(text)) for text in texts],
    "claims": [{c["label"]: float(c["score"]) for c in row} for row in claims(texts)],
    "within": [{c["label"]: float(c["score"]) for c in row} for row in within(texts)],
    "both": [document["sentences"][0]["claim"]["scores"] for document in both(texts)],
}))
"""


def test_the_doors_open_where_this_project_is_not(published, tmp_path):
    texts = [text.split()[0] + " گفت" for text in TEXTS]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-I", "-c", DOORS, str(published.folder)]
    done = subprocess.run(command, input=json.dumps(texts), cwd=tmp_path, env=env, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    kind = architecture(published.model.config)
    assert said["classes"] == [kind.spans, kind.claims, kind.joint, f"{kind.stock}Model"]
    for theirs, within, ours in zip(said["claims"], said["within"], said["both"], strict=True):
        assert theirs == within
        assert theirs == pytest.approx(ours, abs=1e-3)


def test_a_position_too_many_is_refused(published):
    """XLM-R's table of positions holds two that no token has."""
    kind = architecture(published.model.config)
    config = json.loads((published.folder / "config.json").read_text(encoding="utf-8"))
    assert kind.positions(config) == 80
    assert AutoConfig.from_pretrained(published.folder).max_position_embeddings == (82 if kind.after_padding else 80)


def test_a_tokenizer_whose_padding_moves_positions_is_refused(tmp_path, tiny_tokenizer):
    config = CONFIGS["xlm-roberta"](vocab_size=len(tiny_tokenizer), **SIZES, pad_token_id=1)
    joint_class("xlm-roberta").encoder_class(config).save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="padding is 1 by config"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layer_types": ["full_attention"]}, "field 'layer_types'"),
        ({"layer_types": ["full_attention", "full_attention", "linear_attention"]}, "field 'layer_types'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn", "rope_theta": 1e4}}}, "field 'rope_parameters'"),
        ({"classifier_pooling": "mean"}, "field 'classifier_pooling'"),
        ({"norm_bias": 1}, "field 'norm_bias'"),
        ({"norm_bias": True}, "lack .* tensors"),
        ({"classifier_activation": "evil"}, "field 'classifier_activation'"),
        ({"local_attention": -1}, "field 'local_attention'"),
    ],
)
def test_a_modernbert_that_is_none(published, fields, message, tmp_path):
    if published.model.config.model_type != "modernbert":
        pytest.skip("of ModernBERT alone")
    config = json.loads((published.folder / "config.json").read_text(encoding="utf-8"))
    for path in published.folder.iterdir():
        if path.is_file():
            os.link(path, tmp_path / path.name)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config | fields), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        check_folder(tmp_path)

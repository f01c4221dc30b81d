"""What prediction is measured on: models, with the graphs that their folders lack, and sentences made of the seed articles' clauses."""

from __future__ import annotations

import random
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertConfig, BertModel

from models import files
from models.encoding import encode
from models.folder import check_folder
from models.labels import Schema
from models.modeling import joint_model
from models.onnx_engine import GRAPH
from models.text import sentences
from models.torch_engine import load_network
from train.export import export_onnx, float_graph
from train.publish import write

from .news import seed_sentences

STOCK_SHARE = 8  # one sentence in so many is read by the stock pipelines


@dataclass(frozen=True)
class Model:
    """A model to measure: its folder, the same with a graph in 8 bits and in 32, and the sentences it reads."""

    name: str
    folder: Path
    eight: Path
    wide: Path
    texts: list[str]

    @cached_property
    def config(self) -> dict[str, Any]:
        return files.read_json(self.folder / "config.json", "name a published model")

    @cached_property
    def lengths(self) -> list[int]:
        """Of the sentences, in tokens, special ones included."""
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        return [len(encoding) for encoding in tokenizer.encode_batch(self.texts)]

    def read_by(self, contender: str) -> list[int]:
        """The numbers of the sentences that a contender reads; those of the stock pipelines are as long, on the whole, as all of them."""
        numbers = range(len(self.texts))
        if contender.startswith("stock"):
            return sorted(sorted(numbers, key=self.lengths.__getitem__)[STOCK_SHARE // 2 :: STOCK_SHARE])
        return list(numbers)

    def gflop(self, tokens: int) -> float:
        """Of a sentence's pass through the encoder: two a weight of its layers' matrices and token, and attention's two products."""
        width, inner = self.config["hidden_size"], self.config["intermediate_size"]
        each = 2 * tokens * (4 * width**2 + 2 * width * inner) + 4 * tokens**2 * width
        return float(self.config["num_hidden_layers"] * each / 1e9)


def archive(number: int, seed: int = 13) -> list[str]:
    """Distinct sentences of the lengths, in words, that the seed articles' have, made of their clauses with numbers changed."""
    seeds = seed_sentences()
    lengths = [len(sentence.split()) for sentence in seeds]
    clauses = [clause.split() for sentence in seeds for clause in re.split("[،؛:.]", sentence) if clause.split()]
    dice = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < number:
        length, words = dice.choice(lengths), list[str]()
        while len(words) < length:
            words += dice.choice(clauses)
        text = re.sub("[0-9۰-۹]+", lambda _: str(dice.randint(2, 9999)), " ".join(words[:length])) + "."
        if len(sentences(text, ((0, len(text)),))) == 1:
            found[text] = None
    return list(found)


def prepare(name: str, folder: Path, texts: list[str], work: Path) -> Model:
    """A model with the graphs that its folder lacks, made in copies of it. Raises UserError for what is no model of ours."""
    checked = check_folder(folder)
    network = load_network(checked).eval()  # type: ignore[no-untyped-call]
    eight = folder
    if not (folder / GRAPH).is_file():
        eight = shutil.copytree(folder, work / name / "int8", symlinks=True)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        encodings = encode(tokenizer, seed_sentences(), checked.reading.window, checked.reading.overlap)
        export_onnx(network, [window.input_ids for encoding in encodings for window in encoding.windows], eight)
    wide = shutil.copytree(folder, work / name / "fp32", symlinks=True)
    (wide / GRAPH).parent.mkdir(exist_ok=True)
    onnx.save(float_graph(network), wide / GRAPH)  # under the name of the other, so that it is read as it would be
    return Model(name, folder, eight, wide, texts)


def random_model(like: Path, folder: Path, config: BertConfig, *, seed: int = 13, spread: float = 0.02, bias: float = 5) -> Path:
    """A model of random weights, with the tokenizer and the reading of another; its heads are biased to no span, as news has it.

    ``spread`` is the standard deviation of the heads' weights: with little of it every word is read alike.
    """
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = joint_model(BertModel(config), Schema())
    for head in (model.classifier, model.claim_output):
        torch.nn.init.normal_(head.weight, std=spread)
    model.classifier.bias.data[0] = bias
    write(model, AutoTokenizer.from_pretrained(like), folder, files.read_json(like / "config.json", "name a published model")["gozareh"])
    return folder


def tiny_model(like: Path, work: Path) -> Path:
    """A network that takes next to no time, with its 8-bit graph: what a run over it takes, all but the engine takes.

    Vocabulary and window are those of ``like``. The seed is one that gives three spans in a sentence, one of them a NUMBER, and a claim, so
    that no part of the work is left out.
    """
    size = files.read_json(like / "config.json", "name a published model")["vocab_size"]
    config = BertConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    return prepare("tiny", random_model(like, work / "tiny-model", config, seed=19, spread=0.6, bias=3), [], work).eight

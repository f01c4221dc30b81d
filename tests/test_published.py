"""The model of the repository, as a user meets it: stock pipelines in a process that knows nothing of this checkout, and ``predict``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from huggingface_hub import ModelCard

import gozareh
from models.encoding import decode_all, encode, tag
from models.labels import IGNORED
from models.predict import main as predict
from models.predictor import PUBLISHED
from models.records import read_examples
from models.scoring import claim_scores, span_scores

CARD = PUBLISHED / "README.md"
GOLD = read_examples("seeds/gold.jsonl")
STOCK = """
import json, sys
from transformers import pipeline
folder, texts = sys.argv[1], json.load(sys.stdin)
spans = pipeline("token-classification", folder, aggregation_strategy="simple", device="cpu")
claims = pipeline("text-classification", folder + "/claim", device="cpu")
found = [[(s["entity_group"], s["start"], s["end"]) for s in spans(text)] for text in texts]
print(json.dumps([found, [claim["label"] for claim in claims(texts)]]))
"""


@pytest.fixture(scope="module")
def read():
    """What the package's own predictor reads in the gold sentences."""
    return gozareh.load(PUBLISHED, device="cpu").read([example.text for example in GOLD])


@pytest.fixture(scope="module")
def network():
    """The network in 32 bits, as stock pipelines compute it."""
    return gozareh.load(PUBLISHED, device="cpu", engine="torch")


def test_stock_pipelines_outside_the_checkout_agree_with_predict(network, tmp_path):
    """Spans agree wherever the tokens' own best tags make whole, BIO-valid words; elsewhere ``predict`` mends what stock can't."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    texts = json.dumps([example.text for example in GOLD])
    command = [sys.executable, "-I", "-c", STOCK, str(PUBLISHED)]
    done = subprocess.run(command, input=texts, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    spans, claims = json.loads(done.stdout.splitlines()[-1])
    stock = [[tuple(span) for span in found] for found in spans]
    read = network.read([example.text for example in GOLD])
    ours = [[(s.label, s.start, s.end) for s in p.spans] for p in read]
    mended = [not tokens_agree(network, example.text) for example in GOLD]
    unlike = [i for i, (theirs, our) in enumerate(zip(stock, ours, strict=True)) if theirs != our and not mended[i]]
    assert not unlike
    assert sum(mended) <= 0.05 * len(GOLD)
    assert claims == [max(p.claim.scores, key=p.claim.scores.get) for p in read]


def test_the_lines_of_the_card_give_what_predict_gives(read):
    """Of every gold sentence and of a whole article, in windows; the first lines, which open the model, run once."""
    (lines,) = (
        block for block in re.findall(r"```python\n(.*?)```", CARD.read_text(encoding="utf-8"), re.DOTALL) if "onnxruntime" in block
    )
    opening, _, each = lines.partition("WORD = ")
    names = {"DIR": str(PUBLISHED)}
    exec(opening, names)
    article = sorted(PUBLISHED.parents[2].glob("seeds/articles/001*"))[0].read_text(encoding="utf-8")
    for sentence in [*read, *gozareh.load(PUBLISHED, device="cpu").read([article])]:
        exec("WORD = " + each, found := names | {"text": sentence.text})
        assert found["spans"] == [[span.label, span.start, span.end] for span in sentence.spans]
        assert found["claim"].tolist() == pytest.approx(list(sentence.claim.scores.values()), abs=1e-3)


def tokens_agree(predictor, text):
    """Whether each token's best tag is that of its word in one BIO-valid path."""
    (encoding,) = encode(predictor.tokenizer, [text], 512, 0)
    (window,) = encoding.windows
    logits, _ = predictor.engine(window.input_ids[None], np.ones_like(window.input_ids)[None])
    (targets,) = tag(encoding, decode_all([encoding], [logits[0]], predictor.schema)[0], predictor.schema)
    real = targets.labels != IGNORED
    return bool((logits[0].argmax(-1) == targets.labels)[real].all())


def test_eight_bits_cost_no_more_than_half_a_point(read, network):
    whole = network.read([example.text for example in GOLD])
    eight_bits, all_bits = (span_scores([e.spans for e in GOLD], [p.spans for p in found])["micro"].f1 for found in (read, whole))
    assert eight_bits > all_bits - 0.005


def test_it_has_learnt_its_labels(read):
    """No benchmark: a folder of broken or untrained weights must not pass."""
    assert span_scores([e.spans for e in GOLD], [p.spans for p in read])["micro"].f1 > 0.9
    assert claim_scores([e.claim for e in GOLD], [p.claim.label for p in read]).accuracy > 0.8


def test_predict_reads_a_seed_article_to_the_character(capsys):
    article = sorted(PUBLISHED.parents[2].glob("seeds/articles/001*"))[0]
    assert predict(["--input", str(article), "--format", "jsonl", "--device", "cpu"]) == 0
    (prediction,) = map(json.loads, capsys.readouterr().out.splitlines())
    text = article.read_text(encoding="utf-8")
    assert prediction["text"] == text
    spans = [span for sentence in prediction["sentences"] for span in sentence["spans"]]
    assert all(text[span["start"] : span["end"]] == span["text"] for span in spans)
    values = {(span["text"], span["value"], span["unit"]) for span in spans if span["label"] == "NUMBER"}
    assert ("یک هزار و 580", 1580, "واحد") in values


def test_no_field_of_the_card_is_unfilled():
    card = ModelCard.load(CARD)
    assert str(card) == CARD.read_text(encoding="utf-8")
    assert {result.task_type for result in card.data.eval_results} == {"token-classification", "text-classification"}
    assert not [name for name, value in card.data.to_dict().items() if value in (None, "", [], {})]
    assert not re.findall(r"\{\{|\{%|\{\}|\bNone\b|: null|\bnan\b|\bunknown\b|TODO|Undefined|!!python|: \[\]", card.text)


def test_the_card_says_what_it_was_trained_on():
    card = CARD.read_text(encoding="utf-8")
    assert "license: apache-2.0" in card
    assert "Apache-2.0 (repository LICENSE)" in card
    assert "GPL" not in card

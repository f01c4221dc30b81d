from __future__ import annotations

import copy

import numpy as np
import pytest

from models.labels import CLAIMS
from models.predictor import Predictor
from models.records import Example
from models.settings import PredictSettings
from train.calibrate import calibrate, temperature


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true):
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (4000, 3))
    honest = np.exp(logits / true)
    honest /= honest.sum(axis=1, keepdims=True)
    right = [int(rng.choice(3, p=p)) for p in honest]
    shown = np.exp(logits)
    shown /= shown.sum(axis=1, keepdims=True)
    assert temperature(shown, right) == pytest.approx(true, rel=0.1)


def examples(predictor, count, *, wrong):
    """Sentences whose labels are what the model reads, every ``wrong``-th another."""
    texts = [f"{i} نفر گفت" for i in range(count)]
    best = [max(s.claim.scores, key=s.claim.scores.get) for s in predictor.read(texts)]
    others = [CLAIMS[(CLAIMS.index(label) + 1) % len(CLAIMS)] for label in best]
    return [
        Example(t, t, (), other if i % wrong == 0 else label) for i, (t, label, other) in enumerate(zip(texts, best, others, strict=True))
    ]


def test_scores_move_and_choices_stay(tiny_model, tiny_tokenizer):
    model = copy.deepcopy(tiny_model)
    predictor = Predictor.of(model, tiny_tokenizer, PredictSettings(window=48, overlap=12))
    labelled = examples(predictor, 90, wrong=1)
    before = [sentence.claim for sentence in predictor.read([e.text for e in labelled])]
    found = calibrate(model, predictor, labelled)
    after = [sentence.claim for sentence in predictor.read([e.text for e in labelled])]
    assert found > 1
    assert np.mean([c.score for c in after]) < np.mean([c.score for c in before])
    assert [max(c.scores, key=c.scores.get) for c in after] == [max(c.scores, key=c.scores.get) for c in before]


def test_a_few_sentences_calibrate_nothing(tiny_model, tiny_tokenizer):
    predictor = Predictor.of(tiny_model, tiny_tokenizer, PredictSettings(window=48, overlap=12))
    assert calibrate(tiny_model, predictor, examples(predictor, 20, wrong=2)) == 1.0

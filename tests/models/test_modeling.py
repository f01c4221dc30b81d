from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification, BertModel

from models.labels import IGNORED, Schema
from models.modeling import GozarehModel, claim_loss, joint_model, span_loss

TINY = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return joint_model(BertModel(BertConfig(**TINY)), Schema()).eval()


def test_saved_and_loaded_it_says_the_same(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = GozarehModel.from_pretrained(tmp_path).eval()
    ids = torch.randint(5, 50, (2, 7))
    assert again.schema == Schema()
    torch.testing.assert_close(again(ids).logits, model(ids).logits)
    torch.testing.assert_close(again(ids).claim_logits, model(ids).claim_logits)


def test_the_stock_classes_read_the_same_weights(model):
    ids, state = torch.randint(5, 50, (2, 7)), model.state_dict()
    spans = BertForTokenClassification(model.config).eval()
    spans.load_state_dict({k: v for k, v in state.items() if k in spans.state_dict()})
    torch.testing.assert_close(spans(ids).logits, model(ids).logits)
    claims = BertForSequenceClassification(BertConfig(**TINY, num_labels=3)).eval()
    renamed = {
        k.replace("claim_classifier", "claim").replace("classifier", "-").replace("claim", "classifier"): v for k, v in state.items()
    }
    claims.load_state_dict({k: v for k, v in renamed.items() if k in claims.state_dict()})
    torch.testing.assert_close(claims(ids).logits, model(ids).claim_logits)


def test_a_schema_without_claims_has_no_claim_head():
    model = joint_model(BertModel(BertConfig(**TINY)), Schema(("PER", "LOC"), ()))
    out = model(torch.ones(1, 3, dtype=torch.long), labels=torch.zeros(1, 3, dtype=torch.long))
    assert out.claim_logits is None
    assert out.logits.shape == (1, 3, 5)
    assert out.loss.ndim == 0


def test_a_masked_head_learns_nothing(model):
    ids = torch.randint(5, 50, (2, 7))
    masked, none = torch.full((2, 7), IGNORED), torch.zeros(2, 3)
    model(ids, labels=masked, claim_targets=torch.tensor([[0.0, 1.0, 0.0]] * 2)).loss.backward()
    assert not model.classifier.weight.grad.any()
    assert model.claim_classifier.weight.grad.any()
    model.zero_grad()
    model(ids, labels=torch.zeros(2, 7, dtype=torch.long), claim_targets=none).loss.backward()
    assert not model.claim_classifier.weight.grad.any()
    assert model.classifier.weight.grad.any()


def test_span_loss_is_torchs_where_targets_are_hard():
    logits, labels = torch.randn(3, 5, 9), torch.randint(0, 9, (3, 5))
    labels[0, 2:] = IGNORED
    torch.testing.assert_close(span_loss(logits, labels), torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels))


def test_soft_targets_are_distributions():
    logits, labels = torch.randn(1, 1, 9), torch.tensor([[3]])
    soft = torch.zeros(1, 1, 9)
    soft[..., 3], soft[..., 0] = 0.7, 0.3
    expected = torch.nn.functional.cross_entropy(logits[0], soft[0])
    torch.testing.assert_close(span_loss(logits, labels, torch.tensor([[0.7]])), expected)
    claim_logits, target = torch.randn(1, 3), torch.tensor([[0.2, 0.5, 0.3]])
    torch.testing.assert_close(claim_loss(claim_logits, target), torch.nn.functional.cross_entropy(claim_logits, target))


def test_weights_make_an_example_count_more():
    logits, labels = torch.randn(2, 4, 9), torch.randint(0, 9, (2, 4))
    first = span_loss(logits[:1], labels[:1])
    torch.testing.assert_close(span_loss(logits, labels, weights=torch.tensor([[1.0], [0.0]])), first)
    targets = torch.eye(3)[:2]
    torch.testing.assert_close(claim_loss(logits[:, 0, :3], targets, torch.tensor([1.0, 0.0])), claim_loss(logits[:1, 0, :3], targets[:1]))

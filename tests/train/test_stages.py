from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import BertModel

from models.errors import UserError
from models.labels import Schema
from models.modeling import joint_model
from models.predictor import load
from models.records import Example
from models.settings import ReviewSettings, TrainSettings
from models.settings import load as load_settings
from train.__main__ import main
from train.publish import publish
from train.stages import average, review_set, upper_layers_alone
from train.trainer import parameter_groups

READING = {"window": 48, "overlap": 12, "claim_threshold": 0.5}


@pytest.fixture
def network(tiny_encoder):
    """Three layers that differ, their weights cut to 16 bits as in a published folder."""
    config = type(tiny_encoder.config).from_dict(tiny_encoder.config.to_dict() | {"num_hidden_layers": 3})
    torch.manual_seed(3)
    model = joint_model(BertModel(config), Schema())
    model.config.gozareh = {"format": 1, **READING}
    return model.half().float().eval()


def examples(read, weak):
    return [Example(f"r-{i}", "الف", (), "NONE") for i in range(read)] + [
        Example(f"w-{i}", "ب", (), "POLICY", {"POLICY": 1.0}) for i in range(weak)
    ]


def test_as_many_others():
    read, others = review_set(examples(3, 10), seed=1)
    assert [example.id for example in read] == ["r-0", "r-1", "r-2"]
    assert len({example.id for example in others}) == 3
    assert all(example.claim_scores == {"POLICY": 1.0} for example in others)
    assert review_set(examples(3, 10), seed=1) == (read, others)


def test_fewer_others_than_were_read():
    read, others = review_set(examples(5, 2), seed=1)
    assert (len(read), len(others)) == (5, 2)


@given(st.floats(0, 1))
def test_the_average_lies_between_the_networks(share):
    own, other = nn.Linear(2, 1), nn.Linear(2, 1)
    expected = [share * a + (1 - share) * b for a, b in zip(own.parameters(), other.parameters(), strict=True)]
    average(own, other, share)
    for a, b in zip(own.parameters(), expected, strict=True):
        torch.testing.assert_close(a, b)


def test_only_upper_layers_and_heads_get_a_learning_rate(network):
    model = upper_layers_alone(network, 1)
    learning = {id(p) for group in parameter_groups(model, TrainSettings()) for p in group["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in learning}
    assert {name.split(".")[3] for name in names if name.startswith("bert.encoder")} == {"2"}
    assert not any(name.startswith("bert.embeddings") for name in names)
    assert {"classifier.weight", "claim_classifier.weight", "bert.pooler.dense.weight"} <= names


def test_no_number_of_layers_is_all_of_them_and_too_many_are_refused(network):
    assert all(parameter.requires_grad for parameter in upper_layers_alone(network, 0).parameters())
    with pytest.raises(UserError, match=r"review.layers: 4, and the network has 3"):
        upper_layers_alone(network, 4)


def test_a_network_to_review_needs_epochs():
    with pytest.raises(ValueError, match="'epochs' is 0"):
        ReviewSettings(network="models/published/compact")


def test_a_network_is_reviewed_once():
    with pytest.raises(UserError, match=r"self_training\.rounds=1.*review\.network"):
        load_settings("configs/compact-reviewed.yaml", ["self_training.rounds=1"])


@pytest.fixture
def reviewing(workplace, network, tiny_tokenizer, tiny_report):
    """Writes weak labels of which every third was read where ``read``, and gives a run's arguments that reviews a published network."""
    publish(network, tiny_tokenizer, workplace / "first", report=tiny_report)

    def write(*, read):
        label = {"text": "خبر امروز گفت", "entities": [], "claim": "POLICY"}
        by_rules = {"claim_scores": {"POLICY": 1.0}}
        weak = [{"id": f"a{i}-0"} | label | ({} if read and i % 3 == 0 else by_rules) for i in range(15)]
        Path("weak.jsonl").write_text("".join(json.dumps(record) + "\n" for record in weak), encoding="utf-8")
        settings = [
            "annotate.output=weak.jsonl",
            "encoder.source=encoder",
            "encoder.trim=false",
            "gold=[]",
            "review.network=first",
            "train.written=[]",
        ]
        window = [f"predict.{name}={READING[name]}" for name in ("overlap", "window")]
        steps = ["review.layers=1", "train.batch_size=4", "train.warmup=0"]
        return ["--config", "configs/compact-reviewed.yaml", *settings, *window, *steps]

    return write


def test_a_published_network_goes_on_and_its_lower_layers_stay_to_the_bit(reviewing, network):
    assert main(reviewing(read=True)) == 0
    reviewed = load("runs/compact-reviewed/published", device="cpu").engine.model.state_dict()
    same = {name for name, tensor in network.state_dict().items() if torch.equal(tensor, reviewed[name])}
    lower = ("bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1")
    assert {name for name in reviewed if name.startswith(lower)} <= same
    assert not {name for name in reviewed if name.startswith("bert.encoder.layer.2") and name.endswith("dense.weight")} & same


@pytest.mark.parametrize("trust", [0.0, 0.25])
def test_the_others_claims_are_the_rules_mixed_with_the_networks(reviewing, monkeypatch, trust):
    chosen = []

    def stop(run, encoder, examples, *_):
        chosen.extend(examples)
        raise UserError("far enough")

    monkeypatch.setattr("train.stages._gone_on", stop)
    assert main([*reviewing(read=True), f"self_training.trust={trust}"]) == 2
    others = [example.claim_scores for example in chosen if not example.claim_by_hand]
    assert others
    assert all(scores["POLICY"] >= 1 - trust for scores in others)  # which is all that the rules see
    assert all(sum(scores.values()) == pytest.approx(1, abs=1e-3) for scores in others)  # the network's are rounded


def test_runs_are_averaged(reviewing):
    def upper_layers(*overrides):
        assert main([*reviewing(read=True), "review.share=1", "review.learning_rate=1e-2", "train.precision=fp32", *overrides]) == 0
        reviewed = load("runs/compact-reviewed/published", device="cpu").engine.model.state_dict()
        return {name: tensor for name, tensor in reviewed.items() if name.startswith("bert.encoder.layer.2")}

    one, other = upper_layers("review.runs=1"), upper_layers("review.runs=1", "seed=14")
    both = upper_layers("review.runs=2")
    for name, tensor in both.items():
        torch.testing.assert_close(tensor, (one[name] + other[name]) / 2, atol=1e-3, rtol=2**-7)  # both rounded to steps
    assert any((one[name] - other[name]).abs().max() > 2e-3 for name in both)


def test_a_network_of_other_labels_is_one_clear_line(reviewing, workplace, network, tiny_tokenizer, tiny_report, capsys):
    other = joint_model(network.bert, Schema(("PERSON",)))
    other.config.gozareh = network.config.gozareh
    publish(other, tiny_tokenizer, workplace / "other", report=tiny_report)
    assert main([*reviewing(read=True), "review.network=other"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "error: review.network: other reads other labels than the run's; name a network of the same labels"


def test_nothing_read_is_one_clear_line(reviewing, capsys):
    assert main(reviewing(read=False)) == 2
    assert "name files under annotate.reviews" in capsys.readouterr().err

"""Whole runs in processes of their own: killed and resumed, and shared by two."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from annotate.__main__ import main as annotate
from train import compare, cross_validate, grid
from train.__main__ import main as train

ROOT = Path(__file__).parents[2]
RUN = ["--config", "configs/tiny.yaml", "encoder.source=encoder", "encoder.trim=false", "predict.overlap=16", "predict.window=64"]
STEPS = 6
RUN += [f"train.max_steps={STEPS}", "train.evaluations=1", "train.logging_steps=1", "train.precision=fp32"]

KILLED = """
import os, signal, sys
from transformers import Trainer
from train import trainer
def killed_at(step, kind, name):
    then = getattr(kind, name)
    def call(self, *args, **kwargs):
        if self.state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return then(self, *args, **kwargs)
    setattr(kind, name, call)
killed_at(int(sys.argv[1]), trainer.JointTrainer, "training_step")
killed_at(int(sys.argv[2]), Trainer, "_save_rng_state")  # a checkpoint with some of its files
from train.__main__ import main
main(sys.argv[3:])
"""


@pytest.fixture
def labelled(workplace):
    assert annotate(["--config", "configs/tiny.yaml"]) == 0
    return workplace


def start(*command):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=200, check=False)


def result(folder="runs/tiny"):
    """The losses, a step each, and the weights."""
    (state,) = Path(folder).glob("checkpoints/round-0/checkpoint-*/trainer_state.json")
    losses = [entry["loss"] for entry in json.loads(state.read_text())["log_history"] if "loss" in entry]
    assert len(losses) == STEPS
    return losses, {path.name: load_file(path) for path in Path(folder, "published").glob("*.safetensors")}


def test_killed_at_any_step_and_resumed_the_weights_are_the_same_to_the_bit(labelled):
    run = [*RUN, "train.save_steps=1"]
    assert train(run) == 0
    losses, weights = result()
    Path("runs/tiny/checkpoints").rename("elsewhere")
    in_a_step, in_a_checkpoint = sorted(random.sample(range(1, STEPS), 2))
    killed = start("-c", KILLED, str(in_a_step), str(STEPS), *run)
    assert killed.returncode == -9, killed.stderr
    killed = start("-c", KILLED, str(STEPS), str(in_a_checkpoint), *run)
    assert killed.returncode == -9, killed.stderr
    assert train(run) == 0
    again, others = result()
    assert again == losses
    for name, tensors in weights.items():
        assert all(tensor.equal(others[name][key]) for key, tensor in tensors.items()), (in_a_step, in_a_checkpoint, name)


def launchers():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    yield "torchrun", ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    yield (
        "accelerate",
        ["accelerate.commands.launch", "--config_file", str(ROOT / "configs/accelerate/ddp.yaml"), "--main_process_port", port],
    )


@pytest.mark.parametrize(("name", "launcher"), [*launchers()])
def test_two_processes_lose_what_one_does_and_the_first_writes(labelled, name, launcher):
    encoder = Path("encoder/config.json")
    config = json.loads(encoder.read_text()) | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    encoder.write_text(json.dumps(config))
    assert train(RUN) == 0
    losses, weights = result()
    Path("runs/tiny/checkpoints").rename("elsewhere")
    Path("runs/tiny/report.json").unlink()
    done = start("-m", *launcher, "-m", "train", *RUN)
    assert done.returncode == 0, done.stderr
    shared, others = result()
    assert shared == pytest.approx(losses, rel=1e-4)
    for part, tensors in weights.items():
        assert all((tensor - others[part][key]).abs().max() < 5e-3 for key, tensor in tensors.items())
    assert json.loads(Path("runs/tiny/report.json").read_text())["processes"] == 2
    assert done.stdout.count("The model, figures and plots are in") == 1
    assert done.stderr.count("sentences to train on") == 1


SHARDED = """
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import BertConfig, BertModel
from models.labels import Schema
from models.modeling import joint_model
from models.settings import TrainSettings
from tests.train.test_batches import row
from train.batches import Share, packed, padded
from train.fit import gathered
from train.trainer import parameter_groups, reading_packed

def make():
    torch.manual_seed(1)
    tiny = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return joint_model(BertModel(BertConfig(vocab_size=100, **tiny)), Schema()).eval()

def trained(model, share):
    optimizer = torch.optim.AdamW(parameter_groups(model, TrainSettings(learning_rate=1e-3)), fused=True)
    with reading_packed(model):
        for _ in range(3):
            (model(**packed(share), totals=totals).loss * len(rows) / len(share)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return model

dist.init_process_group("gloo")
rows = [row(length, seed=length) for length in (9, 5, 12, 3)]
totals = torch.tensor(Share(0, 1)(rows)["totals"])
one, shared, mesh = trained(make(), rows), make(), init_device_mesh("cpu", (2,))
for part in (*shared.bert.encoder.layer, shared):
    fully_shard(part, mesh=mesh)
trained(shared, rows[dist.get_rank() :: 2])
with torch.inference_mode():
    torch.testing.assert_close(shared(**padded(rows, 0)).logits, one(**padded(rows, 0)).logits, rtol=1e-4, atol=1e-5)
whole = gathered(shared)
assert type(whole) is type(one)
for name, value in whole.state_dict().items():
    torch.testing.assert_close(value, one.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)
dist.destroy_process_group()
"""


def test_two_processes_with_half_a_network_each_train_the_whole(tmp_path):
    """What FSDP 2 does on GPUs, without the Trainer and accelerate, which shard on GPUs alone."""
    (tmp_path / "sharded.py").write_text(SHARDED)
    done = start("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(tmp_path / "sharded.py"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("task", [compare, cross_validate, grid])
def test_many_trainings_are_of_one_process(labelled, monkeypatch, capsys, task):
    monkeypatch.setattr("train.processes.processes", lambda: SimpleNamespace(num_processes=2))
    assert task.main([*RUN, *(["seed=13,14"] if task is grid else [])]) == 2
    name = task.__name__
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"in one process, and there are 2; run `python -m {name}` by itself")
    assert not list(labelled.glob("runs/tiny/*/*"))

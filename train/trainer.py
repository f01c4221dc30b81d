"""``transformers.Trainer`` under a step that is the same on any number of processes, in any number of passes of the network.

The Trainer counts one batch a step. What is one batch to it is here a step's sentences, shared among the processes; each reads its share
in as many passes as memory asks for. Losses are divided by the counts of the whole step, so that neither changes them.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from accelerate.utils.dataclasses import DistributedType
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from models.architectures import architecture
from models.errors import UserError
from models.modeling import GozarehModel
from models.settings import TrainSettings

from .attention import ATTENTION, can_pack
from .batches import Batch, Row, StepLoader, Steps, packed, padded, passes
from .consistency import disagreement
from .evaluate import overall

log = logging.getLogger(__name__)
warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)  # the Trainer has no other name for it


class JointTrainer(Trainer):
    """Reads a step's sentences in passes without padding where it can, and the held-out sentences as prediction does."""

    def __init__(
        self,
        model: GozarehModel,
        rows: Sequence[Row],
        settings: TrainSettings,
        read_held_out: Callable[[], dict[str, Any]],
        **kwargs: Any,
    ) -> None:
        super().__init__(model, train_dataset=rows, eval_dataset=rows, **kwargs)  # the latter unused: the Trainer asks for one all the same
        self.network, self.rows, self.settings, self.read_held_out = model, rows, settings, read_held_out
        self.budget = settings.tokens
        self.readings = 2 if settings.consistency else 1  # of each sentence, in one pass
        config = model.config
        self.first_position = (config.pad_token_id or 0) + 1 if architecture(config).after_padding else 0
        self.packing = settings.packing and can_pack(self.args.device, self.args.bf16, config.model_type)
        self.sharded = self.accelerator.distributed_type == DistributedType.FSDP
        self.unread: list[tuple[int, Tensor, list[str]]] = []  # step, loss and sentences of passes whose loss nobody has looked at
        if settings.packing and not self.packing:
            log.info(
                "padded batches: without padding needs bfloat16, a GPU of the Ampere generation or newer, and torch 2.10 or newer; "
                "a ModernBERT also transformers 5.23"
            )
        if len(rows) // len(self._steps()) < self.args.world_size:
            raise UserError(f"train.batch_size: {settings.batch_size} sentences a step are too few for {self.args.world_size} processes")

    # --- the data ---

    def _steps(self) -> Steps:
        return Steps(len(self.rows), self.settings.batch_size, self.args.seed)

    def get_train_dataloader(self) -> DataLoader[Row]:
        """A step at a time. Not prepared by accelerate, which would deal out whole steps to processes."""
        return StepLoader(self.rows, self._steps(), self.args.process_index, self.args.world_size)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Fused AdamW over ``parameter_groups``."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(parameter_groups(model or self.model, self.settings), fused=True)
        return self.optimizer

    # --- a step ---

    def training_step(self, model: nn.Module, inputs: dict[str, Any], *_: Any) -> Tensor:
        """Forward and backward over this process's share of a step, in smaller passes after running out of memory; gives its loss."""
        model.train()
        looked_at = len(self.unread)
        while (loss := self._try_step(model, inputs)) is None:
            model.zero_grad()
            del self.unread[looked_at:]
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        self.check_finite(self.unread[:looked_at])  # the step before: this one's loss is still being computed, and is not waited for
        del self.unread[:looked_at]
        return loss

    def _try_step(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor | None:
        """The share's loss, or None where memory ran out: the budget is smaller then. Raises UserError where it cannot be."""
        joining = False
        device = self.args.device
        totals = torch.tensor(inputs["totals"], dtype=torch.float32, device=device)
        sum_of = torch.zeros((), device=device)
        parts = [inputs["rows"]] if self.sharded else passes(inputs["rows"], max(1, self.budget // self.readings), self.packing)
        try:
            for part in parts:
                last = part is parts[-1]
                with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                    # gradients are averaged over processes, and the loss that is logged is too
                    loss = self._loss(model, part, totals) * self.args.world_size
                    joining = last and self.args.world_size > 1
                    self.accelerator.backward(loss)  # type: ignore[no-untyped-call]
                sum_of += loss.detach()
                self.unread.append((self.state.global_step + 1, loss.detach(), [row.id for row in part]))
        except torch.OutOfMemoryError:
            self._shrink(parts, joining)
            return None
        return sum_of

    def _loss(self, model: nn.Module, part: Sequence[Row], totals: Tensor) -> Tensor:
        """A pass's loss, the mean of its readings', and what ``train.consistency`` adds to it."""
        batch = self.batch([*part] * self.readings)
        output = model(**batch, totals=totals)
        loss: Tensor = output.loss / self.readings
        return loss if self.readings == 1 else loss + self.settings.consistency * disagreement(output, batch, totals)

    def _shrink(self, parts: Sequence[Sequence[Row]], joining: bool) -> None:
        most = self.readings * max(sum(map(len, part)) for part in parts)
        if len(parts[0]) == 1 or joining or self.sharded:
            where = " where processes wait for one another" if joining or self.sharded else ""
            remedy = "predict.window" if len(parts[0]) == 1 else "train.batch_size" if self.sharded else "train.tokens"
            raise UserError(f"out of memory at {most} tokens in one pass{where}; lower {remedy}") from None
        self.budget = max(1, min(self.budget, most) // 2)
        log.warning("out of memory at %d tokens in one pass: from here on %d at most, and more passes a step", most, self.budget)

    def batch(self, rows: Sequence[Row]) -> Batch:
        """The tensors of a pass, on the device: copied from pinned memory while the pass before is computed."""
        made = packed(rows, self.first_position) if self.packing else padded(rows, self.network.config.pad_token_id)
        pin = self.args.device.type == "cuda"
        return {
            name: (value.pin_memory() if pin else value).to(self.args.device, non_blocking=True) if isinstance(value, Tensor) else value
            for name, value in made.items()
        }

    def check_finite(self, passes_read: Sequence[tuple[int, Tensor, list[str]]] | None = None) -> None:
        """Raise UserError if the loss of a pass is no number; of all that nobody has looked at where none are named."""
        looked_at = self.unread if passes_read is None else passes_read
        for step, loss, ids in looked_at:
            if not loss.isfinite():
                raise UserError(
                    f"step {step}: the loss of these sentences is {loss.item()}: {', '.join(dict.fromkeys(ids))}; look at them, or lower "
                    "train.learning_rate and train.head_learning_rate"
                )

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.check_finite()  # no checkpoint of a network that is lost
        super()._save_checkpoint(*args, **kwargs)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """6 for each parameter and token that is read of the share, embeddings and attention left out, as the Trainer counts."""
        return 6 * self.readings * sum(map(len, inputs["rows"])) * self.network.num_parameters(exclude_embeddings=True)

    # --- choosing ---

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Strict span F1, claim macro-F1 and their mean, ``score``, on the held-out articles."""
        self.check_finite()
        report = self.read_held_out()
        spans, claims = report["spans"]["micro"]["f1"], report["claims"]["macro_f1"]
        metrics = {"score": overall(report), "span_f1": spans, "claim_macro_f1": claims}
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def saving(train: TrainSettings) -> list[TrainerCallback]:
    """What saves the checkpoints that ``train.save_steps`` asks for."""
    return [SaveEvery(train.save_steps)] if train.save_steps else []


class SaveEvery(TrainerCallback):
    """A checkpoint every so many steps, whenever the held-out articles are read: the Trainer's own setting ties the two together."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002
        """Ask for one."""
        if state.global_step % self.steps == 0:
            control.should_save = True


@contextlib.contextmanager
def reading_packed(model: GozarehModel) -> Iterator[None]:
    """Let the network read packed sentences meanwhile."""
    before = model.config._attn_implementation
    model.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def parameter_groups(model: Any, train: TrainSettings) -> list[dict[str, Any]]:
    """AdamW's groups: heads and pooler at the head rate; each encoder layer ``layer_decay`` times the rate of the one above it, the
    embeddings lowest; no weight decay on biases and norms (ULMFiT's discriminative rates, Howard and Ruder 2018).
    """
    kind, layers = architecture(model.config), model.config.num_hidden_layers
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        below = 0  # the highest layer, or a norm after it
        if name.startswith(f"{kind.layers}."):
            below = layers - 1 - int(name.removeprefix(f"{kind.layers}.").partition(".")[0])
        elif name.startswith(f"{kind.prefix}.embeddings."):
            below = layers
        of_head = not name.startswith(f"{kind.prefix}.") or name.startswith(f"{kind.prefix}.pooler.")
        rate = train.head_learning_rate if of_head else train.learning_rate * train.layer_decay**below
        decay = train.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]

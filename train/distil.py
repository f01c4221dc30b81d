"""A smaller student: some layers of a published network, taught by the whole of it on unlabelled text.

The student starts with layers of its teacher at even distances and learns what the teacher says of each token and sentence (Hinton et al.
2015) and what the layers it stands in for hand on (Sun et al. 2019, "Patient Knowledge Distillation").
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[attr-defined]
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase, Trainer, set_seed
from transformers.trainer_pt_utils import LengthGroupedSampler

from models.architectures import architecture
from models.encoders import Encoder
from models.encoding import encode
from models.errors import UserError
from models.folder import check_folder
from models.modeling import GozarehModel, JointOutput
from models.predictor import Predictor
from models.settings import Settings
from models.torch_engine import load_network

from .batches import generator
from .calibrate import calibrate
from .dataset import Labelled
from .fit import Fit, as_stored, augmented, fingerprint, resumable, training_arguments
from .processes import check_alone
from .trainer import saving

log = logging.getLogger(__name__)

SOFTNESS = 2.0  # the temperature at which tags are compared, so that the teacher's second thoughts count


def distil(run: Settings, encoder: Encoder, data: Labelled, folder: Path) -> Fit:
    """Teach ``run.distil.layers`` layers of the network published in ``run.encoder.source`` on the text of ``data`` and its noisy copies,
    labels aside. The embeddings stay the teacher's.

    Checkpoints go to ``folder``; an interrupted run goes on from the last. Raises UserError for a folder that is no whole model of ours,
    for more layers than it has, and in one of several processes.
    """
    check_alone("distil: a student learns", "python -m train")
    set_seed(run.seed)
    teacher = load_network(check_folder(Path(run.encoder.source)))
    student = shallow(teacher, run.distil.layers)
    rows = _rows(encoder.tokenizer, [example.text for example in augmented(run, data.training)], run)
    checkpoint = resumable(folder, fingerprint(run, teacher, data.training, data.held_out))
    args = training_arguments(run, len(rows), folder)
    args.eval_strategy, args.load_best_model_at_end, args.metric_for_best_model = "no", False, None
    collator = Pad(encoder.tokenizer.pad_token_id)
    trainer = Distiller(teacher, model=student, args=args, train_dataset=rows, data_collator=collator, callbacks=saving(run.train))
    log.info("%d of %d layers learn from all of them", run.distil.layers, teacher.config.num_hidden_layers)
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.accelerator.unwrap_model(student, keep_fp32_wrapper=False)  # the Trainer's autocast
    predictor = Predictor.of(student, encoder.tokenizer, run.predict)
    temperature = calibrate(student, predictor, data.held_out)
    return Fit(as_stored(student), encoder.tokenizer, trainer.state.log_history, trainer.state.global_step, temperature)


def shallow(teacher: GozarehModel, layers: int) -> GozarehModel:
    """A network with the teacher's embeddings, which no longer learn, its heads and, of its layers, as many at even distances, the last
    among them; no dropout.
    """
    if "hidden_dropout_prob" not in (fields := teacher.config.to_dict()):
        raise UserError(
            f"distil: the layers of a {teacher.config.model_type} are not alike; take a teacher of BERT's, RoBERTa's or XLM-R's kind"
        )
    config = teacher.config_class.from_dict(fields)
    if not 0 < layers <= config.num_hidden_layers:
        raise UserError(f"distil.layers: {layers}, and the teacher has {config.num_hidden_layers}")
    config.num_hidden_layers, config.hidden_dropout_prob, config.attention_probs_dropout_prob = layers, 0.0, 0.0
    student = type(teacher)(config)
    stem = f"{architecture(config).layers}."
    weights = teacher.state_dict()
    state = {name: tensor for name, tensor in weights.items() if not name.startswith(stem)}
    for new, old in enumerate(standing_in(layers, teacher.config.num_hidden_layers)):
        layer = f"{stem}{old}."
        state |= {f"{stem}{new}." + name.removeprefix(layer): weights[name] for name in weights if name.startswith(layer)}
    student.load_state_dict(state)
    student.get_submodule(f"{architecture(config).prefix}.embeddings").requires_grad_(requires_grad=False)  # nothing in them is cut short
    return student


def standing_in(layers: int, deep: int) -> list[int]:
    """Which of a teacher's layers, counted from 0, each of a student's stands for."""
    return [round((i + 1) * deep / layers) - 1 for i in range(layers)]


class LikeLengths(LengthGroupedSampler):
    """Rows of like length one after another, in an order that depends on the seed and the epoch alone: a resumed run goes on in it.

    ``step`` tells how many steps are done, and so the epoch: the Trainer's ``set_epoch`` does not reach a resumed one in each release.
    """

    def __init__(self, size: int, lengths: list[int], seed: int, step: Callable[[], int]) -> None:
        super().__init__(size, lengths=lengths)
        self.seed, self.step = seed, step

    def __iter__(self) -> Iterator[int]:
        self.generator = generator(self.seed, self.step() // -(-len(self) // self.batch_size))
        order: Iterator[int] = super().__iter__()  # type: ignore[no-untyped-call] # of transformers
        return order


class Distiller(Trainer):
    """A Trainer whose loss is the distance to a teacher."""

    def __init__(self, teacher: GozarehModel, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.teacher = teacher.to(self.args.device).eval()  # type: ignore[arg-type] # its stubs forget what they take

    def _get_train_sampler(self, *_: Any) -> LikeLengths:
        assert isinstance(self.train_dataset, Dataset)
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        return LikeLengths(self.args.train_batch_size, lengths, self.args.seed, lambda: self.state.global_step)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """Forward and backward over a step's rows; gives its loss. Raises UserError if it is no number."""
        loss = super().training_step(*args, **kwargs)
        if not loss.isfinite():
            raise UserError(f"step {self.state.global_step + 1}: the student's loss is {loss.item()}; lower train.learning_rate")
        return loss

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        """A scalar; ``inputs``: input_ids and attention_mask, (rows, tokens)."""
        with torch.no_grad(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            taught = self.teacher(**inputs, output_hidden_states=True)
        return distance(model(**inputs, output_hidden_states=True), taught, inputs["attention_mask"])


def distance(student: JointOutput, teacher: JointOutput, mask: Tensor) -> Tensor:
    """Divergence of the tags of real tokens and of the claims, plus the mean square between the hidden states of paired layers."""
    assert student.logits is not None
    assert teacher.logits is not None
    assert student.hidden_states
    assert teacher.hidden_states
    real = mask.bool()
    loss = divergence(student.logits[real], teacher.logits[real], SOFTNESS)
    if student.claim_logits is not None and teacher.claim_logits is not None:
        loss = loss + divergence(student.claim_logits, teacher.claim_logits)
    first, *rest = teacher.hidden_states
    paired = [first, *(rest[i] for i in standing_in(len(student.hidden_states) - 1, len(rest)))]
    far = [functional.mse_loss(own[real].float(), other[real].float()) for own, other in zip(student.hidden_states, paired, strict=True)]
    return loss + torch.stack(far).mean()


def divergence(student: Tensor, teacher: Tensor, softness: float = 1.0) -> Tensor:
    """Mean Kullback-Leibler divergence, a scalar, of (n, classes) logits from a teacher's, both divided by ``softness``."""
    ours, theirs = ((logits.float() / softness).log_softmax(dim=-1) for logits in (student, teacher))
    return functional.kl_div(ours, theirs, reduction="batchmean", log_target=True) * softness**2


class Pad:
    """Rows of ids as (rows, tokens) input_ids and attention_mask."""

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Iterable[dict[str, list[int]]]) -> dict[str, Tensor]:
        """Pads to the longest."""
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        padded = nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id)
        lengths = torch.tensor([len(row) for row in ids])
        return {"input_ids": padded, "attention_mask": (torch.arange(padded.shape[1]) < lengths[:, None]).long()}


def _rows(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], run: Settings) -> Dataset:
    encodings = encode(tokenizer.backend_tokenizer, texts, run.predict.window, run.predict.overlap)
    return Dataset.from_list([{"input_ids": window.input_ids.tolist()} for encoding in encodings for window in encoding.windows])

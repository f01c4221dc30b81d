"""``python -m train.adapt --config FILE``: an encoder goes on with masked-language-model training on a run's own sentences.

As in "Don't Stop Pretraining" (Gururangan et al. 2020): no label is used. The adapted encoder, a plain folder, is ``runs/NAME/encoder``;
another run names it as its ``encoder.source``.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[attr-defined]
from torch import Generator, Tensor, nn
from transformers import BertConfig, BertForMaskedLM, DataCollatorForLanguageModeling, PreTrainedTokenizerFast, Trainer, set_seed
from transformers.modeling_outputs import MaskedLMOutput

from models import files, settings
from models.encoders import Encoder
from models.errors import ArgumentParser, UserError, command
from models.labels import IGNORED
from models.records import Example
from models.settings import Settings

from .batches import generator
from .dataset import read_labelled
from .fit import encoder_of, fingerprint, resumable, training_arguments
from .processes import check_alone
from .room import check_room
from .trainer import saving

log = logging.getLogger(__name__)


class MaskedModel(BertForMaskedLM):
    """BERT's masked language model that computes the vocabulary's logits for the masked tokens alone, 15 % of them all."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor, **_: Any) -> MaskedLMOutput:
        """The mean cross entropy over the tokens whose label is not -100; all three are (batch, tokens)."""
        hidden = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
        masked = labels != IGNORED
        logits = self.cls(hidden[masked])
        return MaskedLMOutput(loss=nn.functional.cross_entropy(logits.float(), labels[masked]))


class Adapter(Trainer):
    """Masks a step's rows by the seed and the step's number alone: a resumed run masks what it would have."""

    def __init__(self, reader: PreTrainedTokenizerFast, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = reader

    def training_step(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any) -> Tensor:
        """Forward and backward over a step's rows; gives its loss."""
        random = generator(self.args.seed, self.state.global_step + 1)
        return super().training_step(model, {**inputs, **masked(inputs["input_ids"].cpu(), self.reader, random)}, *args)


def masked(ids: Tensor, tokenizer: PreTrainedTokenizerFast, random: Generator) -> dict[str, Tensor]:
    """(rows, tokens) ids, 15 % of them chosen, as BERT's ``input_ids`` and ``labels``, -100 where nothing was chosen."""
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    collator.generator = random
    input_ids, labels = collator.torch_mask_tokens(ids.clone())
    return {"input_ids": input_ids, "labels": labels}


def adapt(run: Settings, encoder: Encoder, training: Sequence[Example], held_out: Sequence[Example], folder: Path) -> tuple[float, float]:
    """Train the encoder on, in place; gives held-out perplexity before and after. Checkpoints go to ``folder``, resumed as in ``fit``.

    Raises UserError for an encoder that has no mask or is not of BERT's kind, for a network that is lost, and in one of several processes.
    """
    check_alone("adapt: an encoder is adapted", "python -m train.adapt")
    set_seed(run.seed)
    tokenizer = encoder.tokenizer
    if tokenizer.mask_token is None:
        raise UserError(f"encoder.source: {encoder.source} has no mask token to be trained with; take one that was trained with a mask")
    if not isinstance(encoder.model.config, BertConfig):
        raise UserError(f"encoder.source: {encoder.source} is a {encoder.model.config.model_type}, and only BERT's kind is adapted")
    model = MaskedModel(encoder.model.config)
    model.bert.load_state_dict(encoder.model.state_dict(), strict=False)  # all but the pooler, which has no part in this
    model.tie_weights()
    model.cls.predictions.bias.data.zero_()
    rows, unseen = (blocks(examples, tokenizer, run.predict.window) for examples in (training, held_out))
    checkpoint = resumable(folder, fingerprint(run, model, training, held_out))
    once = masked(torch.tensor(unseen["input_ids"]), tokenizer, generator(run.seed, 0))  # the same masks before and after
    trainer = Adapter(
        tokenizer,
        model=model,
        args=training_arguments(run, len(rows), folder, metric="loss"),
        train_dataset=rows,
        callbacks=saving(run.train),
        eval_dataset=Dataset.from_dict({"attention_mask": unseen["attention_mask"], **{name: of.tolist() for name, of in once.items()}}),
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train(resume_from_checkpoint=checkpoint)
    after = trainer.evaluate()["eval_loss"]
    if not math.isfinite(after):
        raise UserError(f"adapt: the loss of the held-out sentences is {after} after training; lower train.learning_rate")
    encoder.model.load_state_dict(model.bert.state_dict(), strict=False)
    return math.exp(before), math.exp(after)


def blocks(examples: Iterable[Example], tokenizer: PreTrainedTokenizerFast, size: int) -> Dataset:
    """The sentences one after another, in rows of ``size`` tokens, special ones included: neighbours are context, nothing is padded."""
    texts = [example.text for example in examples]
    ids = [i for row in tokenizer(texts, add_special_tokens=False)["input_ids"] for i in (*row, tokenizer.sep_token_id)]
    room = size - 1
    rows = [[tokenizer.cls_token_id, *ids[start : start + room]] for start in range(0, len(ids) - room + 1, room)]
    if not rows:
        raise UserError(f"{len(ids)} tokens of text are less than one row of {size}; name more articles in 'annotate.articles'")
    return Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * size for _ in rows]})


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Adapt a run's encoder to its sentences."""
    parser = ArgumentParser(prog="python -m train.adapt", description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="the run's YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings to change, such as train.epochs=3")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    run = settings.load(options.config, options.overrides)
    data = read_labelled(run)
    encoder = encoder_of(run, data.training)
    check_room(run, encoder.model.num_parameters())
    before, after = adapt(run, encoder, data.training, data.held_out, run.folder / "checkpoints")
    target = run.folder / "encoder"
    save(encoder, target)
    print(f"{target}: perplexity of the held-out sentences {before:.1f} before, {after:.1f} after")
    return 0


def save(encoder: Encoder, target: Path) -> None:
    """Write the encoder as a plain folder with its licence (see ``files.write_folder``)."""
    card = f"---\nlicense: {encoder.licence}\n---\n\n{encoder.source}, adapted by `python -m train.adapt`\n"
    with files.write_folder(target, check_place) as new:
        encoder.model.cpu().save_pretrained(new)
        encoder.tokenizer.save_pretrained(new)
        (new / "README.md").write_text(card, encoding="utf-8")


def check_place(folder: Path) -> None:
    """Raises UserError for what is no encoder's folder."""
    if folder.exists() and not (folder / "config.json").is_file():
        raise UserError(f"{folder}: holds something other than an encoder; move it away")


if __name__ == "__main__":
    sys.exit(main())

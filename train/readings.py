"""What a system read in gold's sentences, on disk: JSONL in the form of weak labels, a claim of no label being one under the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.errors import UserError
from models.files import field, parse_jsonl, read_text
from models.records import Claim, Example, PredictedSentence, read_examples, write_examples
from models.settings import Settings

from .cross_validate import Read
from .fit import fingerprint

AGAIN = "run `python -m annotate.compare` again, with the same --gold"


def as_example(sentence: Example, read: PredictedSentence) -> Example:
    """A reading of a sentence in the form of a weak label."""
    claim = read.claim
    label, scores = (claim.label, claim.scores) if claim else (None, None)
    return Example(sentence.id, sentence.text, read.spans, label, scores, article=sentence.article)


def as_read(example: Example) -> PredictedSentence:
    """A weak label as the reading that it is; one without ``claim_scores`` says nothing of the claim."""
    scores = example.claim_scores
    claim = Claim(example.claim, max(scores.values()), scores) if scores else None
    return PredictedSentence(0, len(example.text), example.text, claim, example.spans or ())


def kept(read: Read, folder: Path) -> Read:
    """``read``, except that what it reads is kept in ``folder`` and not read again while settings, labels and code are the same."""

    def once(run: Settings, training: Sequence[Example], held_out: Sequence[Example], unseen: Sequence[Example]) -> list[PredictedSentence]:
        path = folder / f"{fingerprint(run, None, training, held_out, unseen)}.jsonl"
        if not path.is_file():
            write_examples(path, map(as_example, unseen, read(run, training, held_out, unseen)))
        return [as_read(example) for example in read_examples(path)]

    return once


class Rules:
    """What ``annotate.compare`` wrote: each system's weak labels of gold's sentences, the systems in the file's order."""

    def __init__(self, path: Path) -> None:
        """Raises UserError that names file and line for anything else."""
        self.path = path
        self.systems: dict[str, dict[tuple[str, str], Example]] = {}
        lines = parse_jsonl(read_text(path), str(path)) if path.is_file() else iter(())
        names = [field(record, "system", str, f"{path}, line {number}") for number, record in lines]
        if not names:
            raise UserError(f"{path}: no readings of the rules; {AGAIN}")
        for name, example in zip(names, read_examples(path), strict=True):
            self.systems.setdefault(name, {})[example.id, example.text] = example

    def read(self, gold: Sequence[Example], name: str) -> Mapping[str, list[PredictedSentence]]:
        """Each system's reading of the sentences of the file ``name``. Raises UserError for a sentence that a system has not read."""
        for system, examples in self.systems.items():
            if unread := next((e.id for e in gold if (e.id, e.text) not in examples), None):
                raise UserError(f"{self.path}: {system} has not read sentence {unread} of {name}; {AGAIN}")
        return {system: [as_read(examples[e.id, e.text]) for e in gold] for system, examples in self.systems.items()}

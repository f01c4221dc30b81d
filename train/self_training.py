"""Self-training: a network that was trained on weak labels reads the same sentences, and the next one learns from what it read.

As in BOND (Liang et al. 2020) and COSINE (Yu et al. 2021): a teacher's confident readings replace the rules', what it is unsure of is
masked, and what a hand has labelled stays. The student starts from the pretrained encoder, not from its teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.labels import CLAIMS
from models.predictor import Predictor
from models.records import Example, PredictedSentence, Span, overlap
from models.settings import SelfTrainingSettings


def relabel(teacher: Predictor, examples: Sequence[Example], settings: SelfTrainingSettings) -> list[Example]:
    """The examples as the teacher and the rules see them together; see ``agreed`` and ``softened``."""
    read = teacher.read([example.text for example in examples])
    return [softened(agreed(e, r, settings.confidence), r, settings.trust) for e, r in zip(examples, read, strict=True)]


def agreed(example: Example, read: PredictedSentence, confidence: float | None) -> Example:
    """Spans on which both agree stay. Where they differ, a teacher that is at least so confident wins; else the stretch is masked. With
    no ``confidence``, and where a hand has labelled, the example's spans stay as they are; of types that a hand has looked for the teacher
    is not asked.
    """
    if example.spans is None or confidence is None or example.claim_by_hand:
        return example
    asked = [span for span in read.spans if span.label not in example.types_by_hand]
    sure = [span for span in asked if span.score >= confidence]
    weak, seen = ({(span.label, span.range) for span in spans} for spans in (example.spans, asked))
    kept = [span for span in example.spans if span.label in example.types_by_hand or (span.label, span.range) in seen]
    kept += [span for span in sure if (span.label, span.range) not in weak and not _meets(span, kept)]
    doubtful = [span for span in (*example.spans, *asked) if not _meets(span, kept)]
    unsure = sorted({*example.unsure, *(span.range for span in doubtful)})
    return replace(example, spans=tuple(sorted(kept, key=lambda span: span.start)), unsure=tuple(unsure))


def _meets(span: Span, others: Sequence[Span]) -> bool:
    return any(overlap(span.range, other.range) for other in others)


def softened(example: Example, read: PredictedSentence, trust: float) -> Example:
    """The claim as a mixture: the teacher's distribution weighs ``trust``, the rules' the rest. A hand label stays as it is."""
    if example.claim_by_hand or read.claim is None:
        return example
    rules = example.claim_scores or read.claim.scores
    scores = {label: trust * read.claim.scores[label] + (1 - trust) * rules.get(label, 0.0) for label in CLAIMS}
    return replace(example, claim=max(CLAIMS, key=scores.__getitem__), claim_scores=scores)

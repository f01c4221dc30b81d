from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import settings
from models.errors import UserError
from models.files import to_json
from models.labels import CLAIMS
from models.records import Claim, Example, PredictedSentence, Span
from train.readings import Rules, as_example, as_read, kept

TEXT = "علی رضایی گفت"
SENTENCE = Example("a-1", TEXT, (), "POLICY", article="a")
READ = PredictedSentence(0, len(TEXT), TEXT, Claim("POLICY", 0.6, dict(zip(CLAIMS, (0.3, 0.1, 0.6), strict=True))), ())


@given(st.sampled_from([None, *CLAIMS]), st.booleans())
def test_a_reading_comes_back_as_it_was(label, spans):
    scores = {claim: 0.6 if claim == (label or "POLICY") else 0.2 for claim in CLAIMS}
    read = replace(READ, claim=Claim(label, 0.6, scores), spans=(Span("PERSON", 0, 9, TEXT[:9], 0.75),) if spans else ())
    assert as_read(as_example(SENTENCE, read)) == read
    assert as_read(as_example(SENTENCE, replace(read, claim=None))) == replace(read, claim=None)


def test_what_was_read_is_not_read_again(tmp_path):
    run = settings.load("configs/tiny.yaml")
    seen = []

    def read(*cell):
        seen.append(cell)
        return [READ]

    once = kept(read, tmp_path / "kept")
    cells = [(run, [SENTENCE], [], [SENTENCE]), (replace(run, seed=14), [SENTENCE], [], [SENTENCE]), (run, [], [SENTENCE], [SENTENCE])]
    for _ in range(2):
        assert [once(*cell) for cell in cells] == [[READ]] * 3
    assert seen == cells


def test_an_interrupted_reading_is_not_kept(tmp_path):
    def read(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(read, tmp_path)(settings.load("configs/tiny.yaml"), [], [], [SENTENCE])
    assert not list(tmp_path.iterdir())


@pytest.fixture
def rules(tmp_path):
    def write(*records):
        path = tmp_path / "rules.jsonl"
        path.write_text("".join(to_json(record) + "\n" for record in records), encoding="utf-8")
        return Rules(path)

    return write


def test_the_rules_read_by_system_in_order(rules):
    found = rules(*({"system": name} | as_example(SENTENCE, READ).to_dict() for name in ("roles", "majority")))
    assert list(found.systems) == ["roles", "majority"]
    assert found.read([SENTENCE], "gold.jsonl") == {"roles": [READ], "majority": [READ]}
    with pytest.raises(UserError, match=r"roles has not read sentence a-2 of gold.jsonl; run `python -m annotate.compare` again"):
        found.read([replace(SENTENCE, id="a-2")], "gold.jsonl")


@pytest.mark.parametrize(
    ("records", "message"),
    [((), "no readings of the rules"), ((SENTENCE.to_dict(),), "line 1: no field 'system'"), (({"system": "x"},), "'text'")],
)
def test_a_broken_file_of_rules_is_one_line(rules, records, message):
    with pytest.raises(UserError, match=message):
        rules(*records)

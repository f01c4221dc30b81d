"""Documents in, predictions out: offsets, order, batching, windows, and every folder that must be refused."""

import json
import sys
from concurrent.futures import Future

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models.predictor as predictor_module
from models import engines
from models.errors import UserError
from models.labels import Schema
from models.modeling import joint_model
from models.predictor import Predictor, load
from models.records import Article
from models.text import words

TEXT = "وحید قبادی دانا، رئیس سازمان بهزیستی کشور گفت: ۴۰۰ مرکز افتتاح شد. بودجه ۲.۵ میلیون تومان است.\nنرخ رشد 50% بود."
LETTERS = "ابپتدرسشکگلمنوهیيكة۰۱۲۳12٣ \n\r\t.,،؛:؟!«»()%\u200c\u200f\u0640\u064bAbé中😀"


@pytest.fixture(scope="module")
def predictor(tiny_folder):
    return load(tiny_folder, device="cpu")


def spans_of(prediction):
    return [span for sentence in prediction.sentences for span in sentence.spans]


def same(a, b):
    """Equal but for the last of the decimals, where float noise may show."""
    assert [(s.start, s.end, [(x.label, x.start, x.end, x.value, x.unit) for x in s.spans], s.claim.label) for s in a.sentences] == [
        (s.start, s.end, [(x.label, x.start, x.end, x.value, x.unit) for x in s.spans], s.claim.label) for s in b.sentences
    ]
    for one, other in zip(a.sentences, b.sentences, strict=True):
        assert one.claim.scores == pytest.approx(other.claim.scores, abs=2e-4)
        assert [x.score for x in one.spans] == pytest.approx([x.score for x in other.spans], abs=2e-4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.one_of(st.sampled_from(LETTERS), st.characters(exclude_categories=["Cs"])), max_size=200))
def test_every_offset_gives_back_its_surface(predictor, text):
    (prediction,) = predictor.predict([text])
    assert prediction.text == text
    after = 0
    for sentence in prediction.sentences:
        assert after <= sentence.start < sentence.end
        assert text[sentence.start : sentence.end] == sentence.text
        after = sentence.start
        for span in sentence.spans:
            assert after <= span.start < span.end <= sentence.end
            assert text[span.start : span.end] == span.text
            after = span.end
        after = sentence.end


def test_the_tiny_model_finds_spans_to_test_with(predictor):
    (prediction,) = predictor.predict([TEXT])
    assert len(prediction.sentences) == 3
    assert spans_of(prediction)


def test_predictions_are_plain_json(predictor):
    (prediction,) = predictor.predict([TEXT])
    record = prediction.to_dict()
    assert json.loads(json.dumps(record)) == record
    for sentence in record["sentences"]:
        claim = sentence["claim"]
        assert sum(claim["scores"].values()) == pytest.approx(1, abs=2e-4)
        assert claim["score"] == max(claim["scores"].values())


def test_order_is_kept_and_strings_are_numbered(predictor):
    texts = [f"{'خبر ' * (7 * i % 11 + 1)}{i}." for i in range(40)]
    predictions = list(predictor.predict(texts))
    assert [p.text for p in predictions] == texts
    assert [p.id for p in predictions] == [str(i) for i in range(1, 41)]


def test_a_document_does_not_depend_on_its_neighbours(predictor):
    texts = [TEXT, "بله.", TEXT * 6, "", "۵ نفر آمدند."] * 3
    together = list(predictor.predict(texts, batch_size=32))
    for text, prediction in zip(texts, together, strict=True):
        same(prediction, next(predictor.predict([text], batch_size=1)))


def test_chunks_do_not_show(predictor, monkeypatch):
    texts = [TEXT, "", TEXT * 4, "الف. ب. پ."]
    expected = list(predictor.predict(texts))
    monkeypatch.setattr(predictor_module, "_CHUNK", 1)
    for one, other in zip(predictor.predict(texts), expected, strict=True):
        same(one, other)


def test_documents_are_read_as_they_are_needed(predictor, monkeypatch):
    monkeypatch.setattr(predictor_module, "_CHUNK", 1000)
    taken = []
    predictions = predictor.predict(taken.append(i) or TEXT for i in range(10_000))
    next(predictions)
    assert len(taken) < 20


def test_text_without_sentences(predictor):
    assert [p.sentences for p in predictor.predict(["", " \n\u200c "])] == [(), ()]


def test_only_the_body_of_an_article_is_read(predictor):
    text = "کد خبر: ۱۲۳۴\nمدیر آمد. او رفت.\nنظر شما"
    article = Article("a", text, ((text.index("مدیر"), text.index("\nنظر")),))
    (prediction,) = predictor.predict([article])
    assert (prediction.id, prediction.text) == ("a", text)
    assert [s.text for s in prediction.sentences] == ["مدیر آمد.", "او رفت."]
    assert prediction.sentences[0].start == 13


class Network:
    """An engine that gives what its subclass makes up."""

    budget = 512

    def submit(self, input_ids, attention_mask):
        done = Future()
        done.set_result(self(input_ids, attention_mask))
        return done


class Queue(Network):
    """An engine that begins its first batch alone."""

    def __init__(self):
        self.futures = []

    def submit(self, input_ids, attention_mask):
        self.futures.append(super().submit(input_ids, attention_mask) if not self.futures else Future())
        return self.futures[-1]

    def __call__(self, input_ids, _):
        return np.zeros((*input_ids.shape, 9), dtype=np.float32), None


@pytest.fixture
def queue(predictor, monkeypatch):
    """An engine that has read the first of two documents, and its predictor's predictions."""
    monkeypatch.setattr(predictor_module, "_CHUNK", 1)
    engine = Queue()
    predictions = Predictor(engine, predictor.tokenizer, predictor.schema, predictor.reading).predict(["بله.", "نه.\nآری.\nشاید."])
    next(predictions)
    assert [future.done() for future in engine.futures] == [True, False]
    return engine, predictions


def test_what_the_engine_has_not_begun_is_given_up_when_the_predictions_are_closed(queue):
    engine, predictions = queue
    predictions.close()
    assert engine.futures[1].cancelled()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_the_engine_has_not_begun_is_given_up_after_an_error(queue, error):
    engine, predictions = queue
    engine.futures[1].set_exception(error())
    with pytest.raises(error):
        next(predictions)
    assert [future.cancelled() for future in engine.futures] == [False, False, True]


def test_what_the_engine_was_given_is_given_up_where_the_rest_cannot_be(predictor):
    class Broken(Queue):
        def submit(self, input_ids, attention_mask):
            if len(self.futures) == 2:
                raise KeyboardInterrupt
            return super().submit(input_ids, attention_mask)

    engine = Broken()
    with pytest.raises(KeyboardInterrupt):
        Predictor(engine, predictor.tokenizer, predictor.schema, predictor.reading).read([f"خبر {i}" for i in range(99)], batch_size=1)
    assert [future.cancelled() for future in engine.futures] == [False, True]


def test_a_long_sentence_is_read_in_windows_to_its_end(predictor):
    text = " ".join(["کتاب سبز"] * 400)
    seen = []

    class Spy(Network):
        def __call__(self, input_ids, _):
            seen.append(input_ids.shape)
            logits = np.zeros((*input_ids.shape, 9), dtype=np.float32)
            logits[:, :, 5] = 9.0  # B-NUMBER on every token, I where it is not allowed
            return logits, np.zeros((len(input_ids), 3), dtype=np.float32)

    (prediction,) = Predictor(Spy(), predictor.tokenizer, predictor.schema, predictor.reading).predict([text])
    assert max(tokens for _, tokens in seen) == predictor.reading.window
    assert [(s.start, s.end) for s in spans_of(prediction)] == words(text)


def test_windows_claims_are_averaged_and_weak_ones_withheld(predictor):
    class Claims(Network):
        def __call__(self, input_ids, attention_mask):
            claims = np.zeros((len(input_ids), 3), dtype=np.float32)
            claims[:, 1] = np.where(attention_mask.sum(axis=1) < 48, 0.0, 2.0)
            return np.zeros((*input_ids.shape, 9), dtype=np.float32), claims

    reader = Predictor(Claims(), predictor.tokenizer, predictor.schema, predictor.reading)
    short, long = reader.read(["خبر", "خبر " * 25])  # one window; a full one and another
    assert short.claim.label is None
    assert short.claim.scores == pytest.approx(dict.fromkeys(predictor.schema.claims, 1 / 3), abs=1e-4)
    full = np.exp(2) / (np.exp(2) + 2)
    assert long.claim.label == "STATISTIC"
    assert long.claim.score == pytest.approx((full + 1 / 3) / 2, abs=1e-4)


def test_a_number_has_its_value_and_unit(predictor):
    text = "ساخت ۴۰۰ واحد"

    class Numbers(Network):
        def __call__(self, input_ids, _):
            logits = np.zeros((*input_ids.shape, 9), dtype=np.float32)
            logits[:, 5:8, 5:7] = 5.0  # «۴۰۰», three digits after [CLS] and the letters of «ساخت»
            logits[:, 5, 5] = logits[:, 6:8, 6] = 9.0
            return logits, None

    (sentence,) = Predictor(Numbers(), predictor.tokenizer, predictor.schema, predictor.reading).read([text])
    (span,) = sentence.spans
    assert (span.label, span.text, span.value, span.unit) == ("NUMBER", "۴۰۰", 400, "واحد")
    assert sentence.claim is None


def test_batches_respect_the_budget():
    lengths = [3, 40, 7, 7, 500, 1, 64, 2] * 9
    batches = list(predictor_module._batches(lengths, 128))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 128 for batch in batches)


def test_a_sentence_of_20000_words_is_refused(predictor):
    with pytest.raises(UserError, match=r"document 2, character 0: a sentence of 20000 words, over 10000; break the text into lines"):
        list(predictor.predict(["بله.", "خبر " * 20_000]))


def test_a_sentence_of_one_endless_word_is_refused(predictor):
    with pytest.raises(
        UserError, match=r"document 1, character 5: a sentence of 200001 characters, over 200000; break the text into lines"
    ):
        list(predictor.predict(["بله.\n" + "ب" * 200_001]))


def test_a_mapping_without_an_id_is_named_by_its_place(predictor):
    documents = [{"text": "a"}, {"text": "b", "id": None}, {"text": "c", "id": "x"}, {"text": "d", "id": 0}]
    assert [prediction.id for prediction in predictor.predict(documents)] == ["1", "2", "x", "0"]


@pytest.mark.parametrize("documents", [TEXT, [1], [b"abc"], [None]])
def test_what_is_no_document_is_a_type_error(predictor, documents):
    with pytest.raises(TypeError):
        list(predictor.predict(documents))


def test_half_a_surrogate_pair_is_refused(predictor):
    with pytest.raises(UserError, match="document 1, character 4: half a surrogate pair"):
        list(predictor.predict(["خبر \ud800"]))


def test_of_wraps_a_network_in_memory(predictor, tiny_model, tiny_tokenizer):
    same(next(Predictor.of(tiny_model, tiny_tokenizer, predictor.reading).predict([TEXT])), next(predictor.predict([TEXT])))


# --- folders and names ---


def edit(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json in it"),
        (lambda f: (f / "config.json").write_text("{"), "line 1: not valid JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "a JSON list, not an object"),
        (lambda f: edit(f, lambda c: c.pop("gozareh")), "no entry 'gozareh'"),
        (lambda f: edit(f, lambda c: c["gozareh"].update(format=2)), "this version reads 1; update gozareh"),
        (lambda f: edit(f, lambda c: c["gozareh"].pop("window")), "'gozareh.window'"),
        (lambda f: edit(f, lambda c: c.update(id2label={"0": "X"})), "not a BIO tag set"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights in it"),
        (lambda f: (f / "model.safetensors").write_bytes(b"version https://git-lfs"), "cannot be loaded"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json in it"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded"),
        (lambda f: edit(f, lambda c: c.update(vocab_size=20)), "embeddings"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": {"bert.x": "encoder.safetensors"}}'),
            r"encoder.safetensors is missing",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(model_folder, damage, message):
    damage(model_folder)
    with pytest.raises(UserError, match=message) as error:
        load(model_folder, device="cpu")
    assert str(model_folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_head_is_not_silently_random(model_folder, tiny_encoder):
    tiny_encoder.save_pretrained(model_folder / "encoder")
    (model_folder / "encoder" / "model.safetensors").replace(model_folder / "model.safetensors")
    with pytest.raises(UserError, match=r"its weights lack \d+ tensors, such as"):
        load(model_folder, device="cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/no/such/folder", "no such folder"),
        ("./nothing", "no such folder"),
        ("a/b/c", "no such folder"),
        ("/no\nsuch", "no such folder"),
        ("somebody/nothing", "the hub was not reached"),
        ("not a name!", "neither a folder here nor a model on the hub"),
    ],
)
def test_a_name_that_gives_no_model_is_refused_in_one_line(name, message):
    with pytest.raises(UserError, match=message) as error:
        load(name)
    assert "\n" not in str(error.value)


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(UserError, match="is a file"):
        load(tmp_path / "x")


@pytest.mark.parametrize(
    ("device", "engine", "message"),
    [
        ("cuda:99", "auto", "no such GPU"),
        ("gpu", "auto", "there are auto, cpu, cuda"),
        ("cpu:1", "auto", "there are auto, cpu, cuda"),
        ("auto", "jax", "there are auto, torch, onnx"),
        ("cuda", "onnx", "runs on the CPU"),
        ("auto", "onnx", r"no onnx/model_int8.onnx in it"),
    ],
)
def test_a_device_or_engine_that_is_not_there_is_refused(tiny_folder, device, engine, message):
    with pytest.raises(UserError, match=message):
        load(tiny_folder, device, engine)


def test_a_model_without_claims_gives_spans_alone(tiny_encoder, tiny_tokenizer, predictor):
    spans_alone = Predictor.of(joint_model(tiny_encoder, Schema(("ORG",), ())), tiny_tokenizer, predictor.reading)
    (prediction,) = spans_alone.predict([TEXT])
    assert [s.claim for s in prediction.sentences] == [None] * 3
    assert {s.label for s in spans_of(prediction)} <= {"ORG"}


# --- onnx ---


@pytest.fixture
def onnx_folder(model_folder, tiny_model):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    example = [torch.ones(2, 7, dtype=torch.int64) for _ in range(2)]  # two tensors: one given twice is exported as one input
    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    (model_folder / "onnx").mkdir()
    torch.onnx.export(
        tiny_model,
        kwargs={"input_ids": example[0], "attention_mask": example[1]},
        f=model_folder / "onnx" / "model_int8.onnx",
        dynamo=True,
        dynamic_shapes={"input_ids": shape, "attention_mask": shape},
        input_names=["input_ids", "attention_mask"],
        output_names=["logits", "claim_logits"],
        verbose=False,
    )
    return model_folder


def test_onnx_reads_as_torch_does(onnx_folder, predictor):
    texts = [TEXT, "خبر " * 100, ""]
    for ours, theirs in zip(load(onnx_folder, engine="onnx").predict(texts), predictor.predict(texts), strict=True):
        same(ours, theirs)


def test_onnx_without_its_package(model_folder, monkeypatch):
    (model_folder / "onnx").mkdir()
    (model_folder / "onnx" / "model_int8.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="onnxruntime is not installed; pip install onnxruntime"):
        load(model_folder, engine="onnx")


def test_a_damaged_graph_is_refused(model_folder):
    pytest.importorskip("onnxruntime")
    (model_folder / "onnx").mkdir()
    (model_folder / "onnx" / "model_int8.onnx").write_bytes(b"not a graph")
    with pytest.raises(UserError, match=r"model_int8\.onnx: cannot be loaded"):
        load(model_folder, engine="onnx")


def test_a_released_model_is_known_by_its_bare_name(monkeypatch, tiny_folder, tmp_path):
    monkeypatch.setattr(engines, "PUBLISHED", tiny_folder.parent / "compact")
    monkeypatch.chdir(tmp_path)
    assert next(load(tiny_folder.name, device="cpu").predict([TEXT])).sentences
    (tmp_path / tiny_folder.name).mkdir()
    with pytest.raises(UserError, match=r"no config\.json in it"):  # a folder here goes first
        load(tiny_folder.name)

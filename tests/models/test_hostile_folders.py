"""A published folder that is damaged or means harm: each is refused in one line before it is loaded, and nothing in it is run."""

import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import pipeline

import gozareh  # noqa: F401 - it registers the pipeline
from models import folder as folder_module
from models.architectures import architecture
from models.errors import UserError
from models.folder import check_folder
from models.predict import main
from models.predictor import PUBLISHED, load

TEXT = "وحید قبادی، رئیس سازمان گفت: ۴۰۰ مرکز افتتاح شد."
HEADS = {"encoder.safetensors": "bert.", "span_head.safetensors": "classifier.", "claim_head.safetensors": "claim_classifier."}
INDEX = "model.safetensors.index.json"


def edit(path, change):
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def config(**fields):
    return lambda folder: edit(folder / "config.json", lambda c: c.update(fields))


def entry(**fields):
    return lambda folder: edit(folder / "config.json", lambda c: c["gozareh"].update(fields))


def index(change):
    return lambda folder: edit(folder / INDEX, lambda record: change(record["weight_map"]))


def elsewhere(name):
    return index(lambda weights: weights.update(dict.fromkeys(weights, name)))


def tokens(change):
    def both(folder):
        for place in (folder, folder / "claim"):
            edit(place / "tokenizer.json", change)

    return both


def settings_of_tokenizer(**fields):
    return lambda folder: edit(folder / "tokenizer_config.json", lambda c: c.update(fields))


def claim(**fields):
    return lambda folder: edit(folder / "claim" / "config.json", lambda c: c.update(fields))


def holds(name, data):
    def write(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    return write


def instead(name, make):
    """``make(path)`` where a file was."""

    def replace(folder):
        (folder / name).unlink()
        make(folder / name)

    return replace


def before(name, data):
    return lambda folder: (folder / name).write_bytes(data + (folder / name).read_bytes())


def tensors(change):
    """The span head with other tensors in it."""

    def save(folder):
        head = load_file(folder / "span_head.safetensors")
        change(head)
        save_file(head, folder / "span_head.safetensors")

    return save


def header(change):
    """The span head with other words about it."""

    def save(folder):
        data = (folder / "span_head.safetensors").read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        record = json.loads(data[8 : 8 + length])
        change(record)
        text = json.dumps(record).encode()
        (folder / "span_head.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    return save


def write_index(folder, names):
    weight_map = {tensor: name for name in names for tensor in load_file(folder / name)}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


@pytest.fixture
def published(model_folder):
    """The tiny model in the layout of a published folder, ``claim/`` and its link included."""
    weights = load_file(model_folder / "model.safetensors")
    (model_folder / "model.safetensors").unlink()
    for name, prefix in HEADS.items():
        save_file({tensor: value for tensor, value in weights.items() if tensor.startswith(prefix)}, model_folder / name)
    write_index(model_folder, HEADS)
    below = model_folder / "claim"
    below.mkdir()
    (below / "encoder.safetensors").symlink_to("../encoder.safetensors")
    head = {tensor.removeprefix("claim_"): value for tensor, value in load_file(model_folder / "claim_head.safetensors").items()}
    save_file(head, below / "claim_head.safetensors")
    write_index(below, ["encoder.safetensors", "claim_head.safetensors"])
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_folder / name, below)

    def to_claims(record):
        labels = record.pop("claim_id2label")
        record.update(architectures=["BertForSequenceClassification"], id2label=labels, label2id={v: int(k) for k, v in labels.items()})
        del record["gozareh"]

    edit(below / "config.json", to_claims)
    return model_folder


# --- what must be read ---


def reads(folder):
    (prediction,) = load(folder, device="cpu").predict([TEXT])
    return [(span.label, span.start, span.end) for sentence in prediction.sentences for span in sentence.spans]


def test_whole_folders_are_read_alike(tiny_folder, published):
    assert reads(published) == reads(tiny_folder) != []


def test_the_released_model_passes_in_milliseconds():
    check_folder(PUBLISHED)
    start = time.process_time()
    check_folder(PUBLISHED)
    assert time.process_time() - start < 1  # it takes 0.06 s: far from reading 58 MB of weights into a network


def as_cached(folder, cache):
    """A folder laid out as in the hub's cache: each file a link to a blob of the model."""
    snapshot = cache / "models--somebody--model" / "snapshots" / "0f1e"
    for number, path in enumerate(path for path in folder.rglob("*") if path.is_file()):
        blob = snapshot.parent.parent / "blobs" / str(number)
        link = snapshot / path.relative_to(folder)
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blob)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def test_the_hubs_cache_is_read(published, tmp_path):
    assert reads(as_cached(published, tmp_path)) == reads(published)


def test_a_link_out_of_the_hubs_cache_is_refused(published, tmp_path):
    snapshot = as_cached(published, tmp_path)
    (snapshot / "encoder.safetensors").unlink()
    (snapshot / "encoder.safetensors").symlink_to(published / "encoder.safetensors")
    with pytest.raises(UserError, match="leads out of the folder"):
        check_folder(snapshot)


def test_a_link_to_the_folder_itself_is_followed(published, tmp_path):
    (tmp_path / "current").symlink_to(published)
    assert reads(tmp_path / "current") == reads(published)


def test_what_git_keeps_beside_a_clone_is_passed_over(published):
    holds(".git/object.bin", b"\x80\x04\x95")(published)
    check_folder(published)


def test_the_check_needs_no_torch():
    code = "import sys, models.folder; print(sorted({'torch', 'transformers', 'safetensors'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_shapes_that_are_expected_are_the_networks(tiny_model):
    built = {name: tuple(tensor.shape) for name, tensor in tiny_model.state_dict().items()}
    assert architecture(tiny_model.config).network(tiny_model.config.to_dict(), 9, 3) == built


# --- what must not ---

HOSTILE = {
    # pickles
    "a pickle": (holds("pytorch_model.bin", b""), r"pytorch_model\.bin: a pickle"),
    "a pickle that nothing uses": (holds("claim/old/Optimizer.PT", b"x"), r"Optimizer\.PT: a pickle"),
    "a hidden pickle": (holds(".hidden/x.ckpt", b"x"), "a pickle"),
    "Keras weights": (holds("tf_model.h5", b"x"), "a pickle or an archive"),
    "Flax weights": (holds("flax_model.msgpack", b"x"), "a pickle or an archive"),
    "a pickle under another name": (holds("notes.txt", pickle.dumps({"a": 1})), r"notes\.txt: a pickle"),
    "a torch archive under another name": (lambda f: torch.save({}, f / "weights"), "weights: a pickle or an archive"),
    "a pickle for weights": (holds("span_head.safetensors", pickle.dumps([1])), r"span_head\.safetensors: cannot be loaded"),
    "a pickle whose name breaks the line": (holds("a\nb\x1b.pkl", b"x"), r"a\\nb\\x1b\.pkl': a pickle"),
    # files
    "a link out": (instead("tokenizer.json", lambda p: p.symlink_to("/etc/hostname")), r"tokenizer\.json: a link that leads out"),
    "a link up and out": (instead("claim/encoder.safetensors", lambda p: p.symlink_to("../../x")), r"encoder\.safetensors: cannot be read"),
    "a link in a circle": (instead("span_head.safetensors", lambda p: p.symlink_to(p.name)), "cannot be read"),
    "a link to a folder": (lambda f: (f / "x").symlink_to("claim"), "where a file should be"),
    "a link to a folder outside": (lambda f: (f / "x").symlink_to("/etc"), "leads out of the folder"),
    "a linked configuration": (instead("config.json", lambda p: p.symlink_to("/etc/hostname")), r"config\.json: a link that leads out"),
    "a pipe for a tokenizer": (instead("tokenizer.json", os.mkfifo), "a pipe, a socket or a device"),
    "a pipe for a configuration": (instead("config.json", os.mkfifo), "a pipe, a socket or a device"),
    "a folder for weights": (instead("span_head.safetensors", Path.mkdir), r"span_head\.safetensors is missing"),
    "a folder for a configuration": (instead("config.json", Path.mkdir), r"config\.json: a folder"),
    "an empty configuration": (holds("config.json", b""), "line 1: not valid JSON"),
    "empty weights": (holds("span_head.safetensors", b""), "cannot be loaded"),
    "an empty tokenizer": (holds("tokenizer.json", b""), "line 1: not valid JSON"),
    "an adapter of another model": (holds("adapter_config.json", b'{"base_model_name_or_path": "x/y"}'), "another model; delete it"),
    # the index
    "an index that climbs out": (elsewhere("../encoder.safetensors"), "not the name of a .safetensors file beside it"),
    "an absolute path": (elsewhere("/etc/passwd"), "not the name of a .safetensors file"),
    "a drive": (elsewhere("C:\\x.safetensors"), "not the name of a .safetensors file"),
    "a line for a name": (elsewhere("x\n.safetensors"), "not the name of a .safetensors file"),
    "an index of pickles": (elsewhere("encoder.json"), "not the name of a .safetensors file"),
    "a missing file": (elsewhere("x.safetensors"), r"x\.safetensors is missing"),
    "an index of nothing": (index(dict.clear), "not an object of file names"),
    "an index that says where a tensor is not": (
        index(lambda w: w.update({"classifier.bias": "encoder.safetensors"})),
        "'classifier.bias' is not where it says",
    ),
    "an index that is silent about a tensor": (index(lambda w: w.pop("classifier.bias")), "not said to be in span_head"),
    "two sets of weights": (lambda f: shutil.copy(f / "encoder.safetensors", f / "model.safetensors"), "delete the one"),
    # headers
    "a header longer than the file": (before("span_head.safetensors", struct.pack("<Q", 10_000)), "longer than the file"),
    "a header of exabytes": (before("span_head.safetensors", b"\xff" * 8), "longer than the file"),
    "a header of megabytes": (holds("x.safetensors", struct.pack("<Q", 5 << 20) + b" " * (5 << 20)), "claims to be over"),
    "a gap between tensors": (header(lambda h: h["classifier.weight"].update(data_offsets=[40, 616])), "leave a gap"),
    "bytes after the tensors": (header(lambda h: h.pop("classifier.weight")), "end at byte 36 of 612"),
    "a shape below nothing": (header(lambda h: h["classifier.bias"].update(shape=[-9])), "no shape"),
    "a tensor twice": (
        holds("span_head.safetensors", struct.pack("<Q", 14) + b'{"a":1,"a":2}\n'),
        "its header: not readable JSON .*twice",
    ),
    "a pointer of Git LFS": (holds("encoder.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), "run `git lfs pull`"),
    "tensors that overlap": (header(lambda h: h["classifier.weight"].update(data_offsets=[0, 576])), "tensors overlap"),
    "tensors that leave the file": (header(lambda h: h["classifier.weight"].update(data_offsets=[36, 10**9])), "by its bytes"),
    "a shape that its bytes deny": (header(lambda h: h["classifier.bias"].update(shape=[10**9])), "by its shape"),
    "whole numbers for weights": (header(lambda h: h["classifier.bias"].update(dtype="I32")), "holds 'I32', not floating-point"),
    # tensors
    "a head of another width": (tensors(lambda t: t.update({"classifier.weight": torch.zeros(9, 8)})), r"\[9, 8\] in the weights"),
    "more tags than labels": (tensors(lambda t: t.update({"classifier.bias": torch.zeros(11)})), r"\[11\] in the weights and \[9\]"),
    "a tensor too few": (tensors(lambda t: t.pop("classifier.bias")), "where it says"),
    "weights that are not numbers": (tensors(lambda t: t["classifier.bias"].fill_(float("nan"))), "what is not a number"),
    "endless weights": (tensors(lambda t: t["classifier.bias"].fill_(float("inf"))), "what is not a number"),
    "another width": (config(hidden_size=32), r"\[\d+, 16\] in the weights and \[\d+, 32\] by config"),
    "a layer more than the weights have": (config(num_hidden_layers=2), r"lack 16 tensors, such as bert\.encoder\.layer\.1"),
    "another vocabulary": (config(vocab_size=500), r"word_embeddings\.weight is"),
    # sizes, before anything is made of them
    "a million layers": (config(num_hidden_layers=10**6), "'num_hidden_layers': 1000000 is not between"),
    "terabytes of embeddings": (config(vocab_size=10**12), "'vocab_size': 1000000000000 is not between"),
    "a negative size": (config(hidden_size=-1), "'hidden_size': -1"),
    "a size in words": (config(intermediate_size="32"), "'intermediate_size': '32'"),
    "a number of ten thousand digits": (
        lambda f: (f / "config.json").write_text('{"gozareh": ' + "9" * 10_000 + "}"),
        "not readable JSON",
    ),
    "heads that do not divide": (config(num_attention_heads=3), "do not divide"),
    "a drop-out of 7": (config(hidden_dropout_prob=7), "'hidden_dropout_prob': 7 is not between 0 and 1"),
    "no such activation": (config(hidden_act="eval"), "no activation 'eval'"),
    # what the configuration says it is
    "a list for a configuration": (lambda f: (f / "config.json").write_text("[]"), "a JSON list, not an object"),
    "another architecture": (config(architectures=["GPT2LMHeadModel"]), "'architectures'"),
    "another model": (config(model_type="gpt2"), "'model_type': 'gpt2'"),
    "a decoder": (config(is_decoder=True), "'is_decoder'"),
    "no entry of ours": (lambda f: edit(f / "config.json", lambda c: c.pop("gozareh")), "no entry 'gozareh'"),
    "a newer format": (entry(format=7), "made by a newer release of gozareh: .*; update gozareh"),
    "no format": (entry(format="1"), "'1' is no format"),
    "a window over the encoder's": (entry(window=65), "do not fit an encoder of 64"),
    "an overlap as long as the window": (entry(overlap=48), "do not fit"),
    "a threshold over 1": (entry(claim_threshold=2), "is no probability"),
    "labels that are no BIO set": (config(id2label={"0": "O", "1": "I-X", "2": "B-X"}), "not a BIO tag set"),
    "labels without an id": (config(id2label={"0": "O", "2": "B-X"}), "does not name ids from 0 up"),
    "labels the other way round": (config(label2id={"O": 8}), "says other than 'id2label'"),
    "as many labels as fill a memory": (config(num_labels=10**12), "'num_labels': 1000000000000 for the 9"),
    "a claim twice": (config(claim_id2label={"0": "A", "1": "A", "2": "B"}), "has a label twice"),
    "fewer claims than the head has": (config(claim_id2label={"0": "A"}), r"claim_classifier\.weight is"),
    "claims that the sub-folder calls otherwise": (
        claim(id2label={"0": "A", "1": "B", "2": "C"}, label2id={"A": 0, "B": 1, "C": 2}),
        r"claim.config\.json, field 'id2label': \('A', 'B', 'C'\)",
    ),
    "a claim head of another width": (claim(hidden_size=8), r"claim: bert\."),
    "another tokenizer for the claims": (before("claim/tokenizer.json", b" "), "not the tokenizer of the folder it is in"),
    # JSON
    "brackets without end": (holds("config.json", b'{"gozareh":' + b"[" * 100_000), "not readable JSON"),
    "a field twice": (before("config.json", b'{"x": 1, "x": 2}'), "not readable JSON .*twice"),
    "a byte order mark": (before("tokenizer_config.json", b"\xef\xbb\xbf"), "byte order mark"),
    "no UTF-8": (before("tokenizer.json", b"\xff"), "not valid UTF-8"),
    # the tokenizer
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json in it"),
    "more pieces than rows": (tokens(lambda t: t["model"]["vocab"].update({f"x{i}": 300 + i for i in range(200)})), "pieces for 202"),
    "an id without a row": (tokens(lambda t: t["model"]["vocab"].update({"می": 10**6})), "a piece has the id 1000000"),
    "an added id without a row": (tokens(lambda t: t["added_tokens"][0].update(id=-1)), "a piece has the id -1"),
    "a special token without a row": (
        tokens(lambda t: t["post_processor"]["special_tokens"]["[CLS]"].update(ids=[999])),
        "a piece 999 for 202 embeddings",
    ),
    "a template of nothing": (tokens(lambda t: t.update(post_processor=None)), "does not put a special token"),
    "a template of unknown tokens": (tokens(lambda t: t["post_processor"]["special_tokens"].pop("[SEP]")), "is none of its special"),
    "no token for the unknown": (tokens(lambda t: t["model"].update(unk_token="[NONE]")), "its tokenizer cannot be loaded"),
    "padding without end": (
        tokens(lambda t: t.update(padding={"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_id": 0})),
        "'padding': 1000000000000 tokens",
    ),
    "a character map cut short": (
        tokens(lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"})),
        "no char",
    ),
    "a tokenizer's own code": (settings_of_tokenizer(auto_map={"AutoTokenizer": ["x.Y", None]}), "'auto_map': names code"),
    "a tokenizer's file elsewhere": (settings_of_tokenizer(tokenizer_file="/etc/hostname"), "'tokenizer_file': names"),
}


@pytest.mark.parametrize(("harm", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_folder_is_refused_in_one_line(published, harm, message):
    harm(published)
    with pytest.raises(UserError, match=message) as error:
        load(published, device="cpu")
    assert str(published) in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500 + len(str(published))


@pytest.mark.parametrize(
    "name", ["a pickle", "a pipe for a configuration", "an index that climbs out", "a million layers", "endless weights"]
)
def test_predict_says_so_in_one_line_and_exits_with_2(published, name, capfd):
    HOSTILE[name][0](published)
    assert main([TEXT, "--model", str(published), "--device", "cpu"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "name",
    [
        "a pickle",
        "a link up and out",
        "an index that climbs out",
        "tensors that overlap",
        "a layer more than the weights have",
        "fewer claims than the head has",
        "more pieces than rows",
        "a newer format",
    ],
)
def test_the_registered_pipeline_refuses_it_too(published, name):
    """Transformers alone would take the stock class where ours fails, and pass over a pickle that it does not read."""
    harm, message = HOSTILE[name]
    harm(published)
    with pytest.raises(UserError, match=message):
        pipeline("gozareh", str(published), device="cpu")


def test_nor_does_it_read_a_pickle_from_elsewhere(published, monkeypatch):
    """A name on the hub is no folder that could be checked first."""
    weights = {k: v for path in published.glob("*.safetensors") for k, v in load_file(path).items()}
    for path in (*published.glob("*.safetensors"), published / "model.safetensors.index.json"):
        path.unlink()
    torch.save(weights, published / "pytorch_model.bin")
    monkeypatch.setattr("models.pipeline.check_folder", lambda path: None)
    with pytest.raises(UserError, match=r"cannot be loaded: .*model\.safetensors"):
        pipeline("gozareh", str(published), device="cpu")


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_a_file_of_absurd_length_is_not_read(published, name):
    with (published / name).open("ab") as file:
        file.truncate(1 << 40)  # a hole: no disk is filled
    with pytest.raises(UserError, match=rf"{name}: 1099511627776 bytes, over"):
        check_folder(published)


def test_too_many_files(published, monkeypatch):
    monkeypatch.setattr(folder_module, "_MOST_FILES", 5)
    with pytest.raises(UserError, match="holds over 5 files"):
        check_folder(published)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights as POSIX has them")
@pytest.mark.parametrize("name", ["", "claim", "config.json"])
def test_what_may_not_be_read_is_refused(published, name):
    (published / name).chmod(0)
    as_root = os.geteuid() == 0
    for place in published.parents if as_root else ():
        if place.owner() == "root" and str(place).startswith("/tmp/"):
            place.chmod(place.stat().st_mode | 0o055)
    try:
        if as_root:
            os.seteuid(65534)
        with pytest.raises(UserError, match="cannot be read: Permission denied") as error:
            load(published, device="cpu")
        assert "\n" not in str(error.value)
    finally:
        if as_root:
            os.seteuid(0)
        (published / name).chmod(0o755)


def test_nothing_of_the_folder_is_run(published, tmp_path, monkeypatch):
    """Not its modules, not what its auto_map names, not an attention kernel or a network from elsewhere."""
    mark = tmp_path / "run"
    for name in ("modeling.py", "pipeline.py", "tokenizer.py", "evil.py", "__init__.py", "sitecustomize.py"):
        (published / name).write_text(f"open({str(mark)!r}, 'w')\n")
    config(
        auto_map={"AutoConfig": "evil.X", "AutoModel": "somebody/evil--evil.X", "AutoTokenizer": ["evil.X", None]},
        custom_pipelines={"gozareh": {"impl": "evil.X", "pt": ["AutoModel"]}},
        attn_implementation="somebody/kernel",
        quantization_config={"quant_method": "gptq", "bits": 4},
        transformers_weights="../x.safetensors",
    )(published)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))  # nor is anyone asked
    assert reads(published)
    assert not mark.exists()
    assert not any(module.endswith(("evil", "sitecustomize_")) for module in sys.modules)


# --- any damage ---

FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", INDEX, "span_head.safetensors", "encoder.safetensors"]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**40), 10**40), st.floats(), st.text(max_size=5), st.just([]), st.just({"a": 1})
)


def either_refused_or_read(folder):
    refusal = ""
    try:
        predictor = load(folder, device="cpu")
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        return
    json.dumps([prediction.to_dict() for prediction in predictor.predict([TEXT * 4, ""])], allow_nan=False)


damaged = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@damaged
@given(st.data())
def test_damaged_bytes_are_refused_or_harmless(published, data):
    path = published / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    damage = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
        damage[place] = data.draw(st.one_of(st.sampled_from(b'0123456789{}[]",:-.e '), st.integers(0, 255)))
    path.write_bytes(damage[: data.draw(st.one_of(st.none(), st.integers(0, len(whole))))])
    try:
        either_refused_or_read(published)
    finally:
        path.write_bytes(whole)


@damaged
@given(st.data())
def test_other_values_are_refused_or_harmless(published, data):
    path = published / data.draw(st.sampled_from([name for name in FILES if name.endswith(".json")]))
    whole = path.read_text(encoding="utf-8")
    record = part = json.loads(whole)
    while True:
        key = data.draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        if not (isinstance(part[key], dict | list) and part[key] and data.draw(st.booleans())):
            break
        part = part[key]
    part[key] = data.draw(VALUES)
    path.write_text(json.dumps(record), encoding="utf-8")
    try:
        either_refused_or_read(published)
    finally:
        path.write_text(whole, encoding="utf-8")

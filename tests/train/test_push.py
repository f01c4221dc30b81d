"""A push goes through the real client of the hub to a stand-in of it; what arrives is the folder, byte for byte, and loads by its name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
from hub_stand_in import TOKEN, Repository, running_hub
from huggingface_hub import DatasetCard, ModelCard, constants

from annotate.publish import Splits
from annotate.publish import card as dataset_card
from models.errors import UserError
from models.predictor import PUBLISHED, load
from models.records import Example
from train import checksums
from train.publish import main, publish
from train.push import Push

REPORT = {
    "name": "tiny",
    "base_model": "intfloat/multilingual-e5-small",
    "settings": {"name": "tiny", "predict": {"window": 48, "overlap": 12, "claim_threshold": 0.5}},
    "versions": {"torch": "2.13.0"},
    "data": {},
}
READ = "import gozareh, json, sys; print(json.dumps(next(gozareh.load(sys.argv[1], device='cpu').predict([sys.argv[2]])).to_dict()))"
TEXT = "حسینی، وزیر کار، گفت: ۲۶ هزار معلول تحت پوشش هستند."


@pytest.fixture(scope="module")
def published(tiny_model, tiny_tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "tiny"
    publish(tiny_model, tiny_tokenizer, folder, report=REPORT)
    return folder


@pytest.fixture(scope="module")
def hub():
    with running_hub() as hub:
        yield hub


@pytest.fixture(autouse=True)
def _new_hub(hub, tmp_path, monkeypatch):
    """The client's hub is the stand-in, empty. Xet has a protocol of its own: files go by LFS."""
    hub.repositories.clear()
    hub.refuses.clear()
    hub.requests.clear()
    for name, value in {
        "ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_TOKEN_PATH": str(tmp_path / "none"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def bytes_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_arrives_is_the_folder_with_copies_for_links_and_loads_by_its_name(hub, published, tmp_path, capsys):
    assert main([str(published), "--push-to", "me/tiny", "--revision", "v1", "--private"]) == 0
    repository = hub.repositories["me/tiny"]
    assert {path: data for path, data in repository.files.items() if path != ".gitattributes"} == bytes_of(published)
    assert repository.files["claim/encoder.safetensors"] == repository.files["encoder.safetensors"]
    assert (repository.private, len(repository.commits)) == (True, 2)
    assert repository.tags == {"v1": repository.commits[-1]}
    assert f"{hub.url}/me/tiny/commit/{repository.commits[-1]}" in capsys.readouterr().out

    env = {"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run([sys.executable, "-c", READ, "me/tiny", TEXT], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (expected,) = load(published, device="cpu").predict([TEXT])
    assert json.loads(done.stdout) == expected.to_dict()


def test_both_cards_pass_the_client_s_validator(hub, published):
    """The hub's own rules are on the hub: the stand-in knows those that its documentation states."""
    ModelCard.load(published / "README.md").validate()
    ModelCard.load(PUBLISHED / "README.md").validate()
    rows = {"train": [Example("a-1", TEXT, (), None, article="a", licence="CC-BY-SA-4.0", source="agency")]}
    DatasetCard(dataset_card(Splits(rows, 0), name="toy", label_model="majority")).validate()
    assert [path for _, path in hub.requests] == ["/api/validate-yaml"] * 3


@pytest.mark.parametrize("fault", ["language: Persian", "license: ''", "model-index: [{name: tiny}]", "tags: [a", "license: 5"])
def test_a_card_at_fault_does_not_pass_and_is_not_pushed(hub, published, tmp_path, fault, capsys):
    folder = shutil.copytree(published, tmp_path / "tiny", symlinks=True)
    text = f"---\n{fault}\n---\n# tiny\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    checksums.write(folder)
    assert main([str(folder), "--push-to", "me/tiny"]) == 2
    assert "README.md" in capsys.readouterr().err
    assert hub.repositories["me/tiny"].commits == ["0" * 40]


def test_a_second_push_leaves_nothing_of_an_older_layout(hub, published):
    old = {"model.safetensors": b"an older layout", checksums.NAME: b"", ".gitattributes": b"kept"}
    hub.repositories["me/tiny"] = Repository(files=old)
    assert main([str(published), "--push-to", "me/tiny"]) == 0
    assert hub.repositories["me/tiny"].files == bytes_of(published) | {".gitattributes": b"kept"}


def test_a_dry_run_lists_what_a_push_sends_and_asks_nothing(hub, published, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    assert main([str(published), "--push-to", "me/tiny", "--dry-run", "--revision", "v1", "--private"]) == 0
    head, *rows, total = capsys.readouterr().out.splitlines()
    assert head == f"to {hub.url}/me/tiny, a private model repository, in one commit, tagged v1:"
    expected = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in bytes_of(published).items()}
    assert {path: (int(size), digest) for size, digest, path in map(str.split, rows)} == expected
    assert total.startswith(f"{len(expected)} files, {sum(size for size, _ in expected.values())} bytes")
    assert hub.requests == []


def test_a_dry_run_of_a_run_writes_nothing(published, tmp_path, capsys):
    shutil.copytree(published, tmp_path / "run" / "published", symlinks=True)
    (tmp_path / "run" / "report.json").write_text(json.dumps(REPORT))
    assert main([str(tmp_path / "run"), "--to", str(tmp_path / "out"), "--push-to", "me/tiny", "--dry-run"]) == 0
    assert str(checksums.digest(published / "encoder.safetensors")) in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def others(hub):
    hub.repositories["you/tiny"] = Repository()


def letters(hub):
    hub.repositories["me/tiny"] = Repository(files={"letters.txt": b""})


def tagged(hub):
    hub.repositories["me/tiny"] = Repository()
    hub.repositories["me/tiny"].tags["v1"] = "0" * 40


def public(hub):
    hub.repositories["me/tiny"] = Repository()


def refused(part, status):
    return lambda hub: hub.refuses.update({part: status})


@pytest.mark.parametrize(
    ("arguments", "prepare", "message"),
    [
        (["me/ti--ny"], None, "Cannot have -- or .. in repo_id"),
        (["tiny"], None, "names no owner; write OWNER/tiny"),
        (["you/new"], None, "this token may not write there"),
        (["you/tiny"], others, "this token may not write there"),
        (["me/tiny"], letters, "something other than a published model"),
        (["me/tiny", "--revision", "v1"], tagged, "the tag v1 is taken there"),
        (["me/tiny", "--revision", "main"], public, "the tag main is taken there"),
        (["me/tiny", "--revision", "v 1"], None, "no name for a tag"),
        (["me/tiny", "--private"], public, "exists and is public"),
        (["me/tiny"], refused("commit", 412), "somebody else has pushed at the same time"),
        (["me/tiny", "--revision", "v2"], refused("tag", 409), "the hub has it already"),
        (["me/tiny"], refused("validate-yaml", 400), "the hub refused it (Invalid metadata in README.md"),
        (["me/tiny"], refused("/blobs/", 418), "Error while uploading"),
        (["me/tiny"], refused("create", 418), "status 418"),
    ],
)
def test_what_is_refused_is_one_clear_line(hub, published, capsys, arguments, prepare, message):
    if prepare:
        prepare(hub)
    assert main([str(published), "--push-to", *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert error[-1].startswith("error: ")
    assert not any("Traceback" in line for line in error)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HF_TOKEN", "", "no token; log in with `hf auth login`"),
        ("HF_TOKEN", "hf_bad", "did not take the token"),
        ("ENDPOINT", "http://127.0.0.1:9", "the hub was not reached; check the network"),
        ("HF_HUB_OFFLINE", True, "the hub was not reached; check the network"),
    ],
)
def test_without_a_token_or_a_network_it_says_so(hub, published, monkeypatch, capsys, name, value, message):
    if name == "HF_TOKEN":
        monkeypatch.setenv(name, value)
    else:
        monkeypatch.setattr(constants, name, value)
    assert main([str(published), "--push-to", "me/tiny"]) == 2
    assert message in capsys.readouterr().err
    assert hub.repositories == {}


@pytest.mark.parametrize("change", [lambda f: (f / "config.json").write_text("{}"), lambda f: (f / "letters.txt").touch()])
def test_a_folder_that_was_changed_is_not_sent(published, tmp_path, change):
    shutil.copytree(published, tmp_path / "m", symlinks=True)
    change(tmp_path / "m")
    for attempt in (Push(tmp_path / "m", "me/tiny").send, Push(tmp_path / "m", "me/tiny").listing):
        with pytest.raises(UserError, match="publish the run again"):
            attempt()


@pytest.mark.parametrize("tag", ["", "-v", "v..1", "v/", "v.lock", "v~1", "ve:1", "۱"])
def test_what_git_refuses_as_a_tag_is_refused_before_anything_is_sent(tmp_path, tag):
    with pytest.raises(UserError, match="no name for a tag"):
        Push(tmp_path, "me/tiny", tag)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a run or a published folder"),
        (["FOLDER", "--verify", "FOLDER"], "name a run or a published folder"),
        (["--verify", "FOLDER", "--push-to", "me/tiny"], "--verify goes with no other option"),
        (["--verify", "FOLDER", "--to", "out"], "--verify goes with no other option"),
        (["--verify", "FOLDER", "--onnx"], "--verify goes with no other option"),
        (["FOLDER"], "is published already; --push-to sends it"),
        (["FOLDER", "--to", "out", "--push-to", "me/tiny"], "is published already; --push-to sends it"),
        (["FOLDER", "--dry-run"], "go with --push-to"),
        (["FOLDER", "--revision", "v1"], "go with --push-to"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(published, capsys, arguments, message):
    assert main([str(published) if argument == "FOLDER" else argument for argument in arguments]) == 2
    assert message in capsys.readouterr().err

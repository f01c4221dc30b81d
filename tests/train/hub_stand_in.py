"""A stand-in for the hub: the part of its HTTP interface that a push and a download go through, with repositories in memory.

Files of 1,000 bytes and more travel by the LFS protocol, smaller ones in the commit itself. The owner of the token "hf_good" is "me".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_good"
LFS = 1000


class Repository:
    def __init__(self, private=False, files=None):
        self.private = private
        self.files = dict(files or {".gitattributes": b""})
        self.commits = ["0" * 40]
        self.tags = {}


class Hub(ThreadingHTTPServer):
    """``repositories`` by name, ``requests`` as (method, path), ``blobs`` by SHA-256; ``refuses`` maps a part of a path to a status."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories, self.requests, self.blobs, self.refuses = {}, [], {}, {}


def faults_of_card(text):
    """What the hub's check of a card's metadata would name, by https://huggingface.co/docs/hub/model-cards; not all of it."""
    try:
        _, head, _ = text.split("---\n", 2)
        data = yaml.safe_load(head)
        faults = [
            f"{name}: no string"
            for name in ("license", "library_name", "pipeline_tag", "base_model")
            if not isinstance(data.get(name, ""), str | list)
        ]
        faults += [f"{name}: empty" for name, value in data.items() if value in (None, "", [], {})]
        faults += [f"language: {code}" for code in as_list(data.get("language", "fa")) if not re.fullmatch("[a-z]{2,3}", code)]
        faults += [f"license: {name}" for name in as_list(data.get("license", "mit")) if not re.fullmatch("[a-z0-9.-]+", name)]
        for result in (result for model in data.get("model-index", []) for result in [model["name"], *model["results"]][1:]):
            faults += [f"{part}: no type" for part in ("task", "dataset") if not isinstance(result[part]["type"], str)]
            faults += [] if result["dataset"]["name"] else ["dataset: no name"]
            faults += [f"{m['type']}: no number" for m in result["metrics"] if not isinstance(m["value"], int | float)]
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        return [f"metadata: {error!r}"]
    return faults


def as_list(value):
    return value if isinstance(value, list) else [value]


@contextmanager
def running_hub():
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("GET")

    def do_HEAD(self):
        self.answer("HEAD")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def answer(self, method):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if "chunked" not in self.headers.get("Transfer-Encoding", "") else self.chunks()
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((method, path))
        for part, status in self.server.refuses.items():
            if part in path:
                return self.send(status, {"error": "refused"})
        return self.route(method, [part for part in path.split("/") if part])

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, status, record=None, data=None, **headers):
        data = json.dumps(record or {}).encode() if data is None else data
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def known(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def route(self, method, parts):
        match method, parts:
            case "POST", ["api", "repos", "create"]:
                self.create(json.loads(self.body))
            case "POST", ["api", "validate-yaml"]:
                errors = [{"message": fault} for fault in faults_of_card(json.loads(self.body)["content"])]
                self.send(400 if errors else 200, {"errors": errors, "warnings": []})
            case "PUT", ["blobs", oid]:
                self.server.blobs[oid] = self.body
                self.send(200)
            case "POST", [owner, name, "info", "lfs", "objects", "batch"]:
                self.batch(f"{owner}/{name.removesuffix('.git')}", json.loads(self.body))
            case _, ["api", "models", owner, name, *rest]:
                self.of_repository(f"{owner}/{name}", rest)
            case _, [owner, name, "resolve", _, *path]:
                self.resolve(self.server.repositories[f"{owner}/{name}"], "/".join(path))
            case _:
                self.send(404)

    def create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        if not self.known:
            return self.send(401)
        if asked["organization"] != "me":
            return self.send(403)
        self.server.repositories[name] = Repository(asked.get("visibility") == "private")
        return self.send(200, {"url": f"{self.server.url}/{name}"})

    def of_repository(self, name, rest):  # noqa: PLR0911 - an answer an endpoint
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and not self.known):
            return self.send(404 if self.known else 401, X_Error_Code="RepoNotFound")
        match self.command, rest:
            case "GET", [] | ["revision", _]:
                siblings = [{"rfilename": path} for path in repository.files]
                return self.send(200, {"id": name, "private": repository.private, "sha": repository.commits[-1], "siblings": siblings})
            case "GET", ["refs"]:
                branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commits[-1]}]
                tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit} for tag, commit in repository.tags.items()]
                return self.send(200, {"branches": branches, "converts": [], "tags": tags})
            case "GET", ["tree", *_]:
                return self.send(200, [self.entry(*item) for item in repository.files.items()])
        if not self.known or not name.startswith("me/"):
            return self.send(403)
        match rest:
            case ["preupload", "main"]:
                modes = [(file["path"], "lfs" if file["size"] >= LFS else "regular") for file in json.loads(self.body)["files"]]
                return self.send(200, {"files": [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes]})
            case ["commit", "main"]:
                return self.commit(name, repository, [json.loads(line) for line in self.body.splitlines()])
            case ["tag", commit]:
                tag = json.loads(self.body)["tag"]
                if tag in repository.tags:
                    return self.send(409)
                repository.tags[tag] = commit
                return self.send(200)
        return self.send(404)

    def entry(self, path, data):
        sha = hashlib.sha256(data).hexdigest()
        lfs = {"lfs": {"oid": sha, "size": len(data), "pointerSize": 1}} if len(data) >= LFS else {}
        return {"type": "file", "path": path, "size": len(data), "oid": sha[:40]} | lfs

    def batch(self, name, asked):
        if not self.known or not name.startswith("me/"):
            return self.send(403)
        actions = {"upload": {"href": f"{self.server.url}/blobs/"}}
        objects = [o | {"actions": {"upload": {"href": actions["upload"]["href"] + o["oid"]}}} for o in asked["objects"]]
        return self.send(200, {"transfer": "basic", "objects": objects})

    def commit(self, name, repository, lines):
        if lines[0]["value"].get("parentCommit") != repository.commits[-1]:
            return self.send(412)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repository.files[value["path"]] = self.server.blobs[value["oid"]]
            else:
                del repository.files[value["path"]]
        repository.commits.append(hashlib.sha1(self.body).hexdigest())
        return self.send(
            200, {"commitUrl": f"{self.server.url}/{name}/commit/{repository.commits[-1]}", "commitOid": repository.commits[-1]}
        )

    def resolve(self, repository, path):
        if path not in repository.files:
            return self.send(404, X_Error_Code="EntryNotFound")
        data = repository.files[path]
        return self.send(200, data=data, ETag=f'"{hashlib.sha256(data).hexdigest()}"', X_Repo_Commit=repository.commits[-1])

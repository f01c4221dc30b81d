"""A published folder -> a model repository on the Hugging Face hub, in one commit that leaves the repository with the folder's files alone.

``HfApi.create_commit`` and not ``upload_folder``, which since huggingface_hub 2 may cut an upload into several commits, so that a reader
could load half of one model and half of another.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo, constants, get_token
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of whichever client the library is built on
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from models.errors import UserError, first_line

from . import checksums

TIMEOUT = 10.0  # seconds to wait for the hub's first answer
_HUBS_OWN = {".gitattributes", "README.md", "LICENSE"}  # what a new repository may hold before anything is pushed
_TAG = re.compile(r"(?!.*(?:\.\.|//|\.lock$|[./]$))[A-Za-z0-9][A-Za-z0-9._/-]*")  # git check-ref-format, the plain part of it


@dataclass(frozen=True, slots=True)
class Push:
    """What is to be sent: to ``name``, OWNER/NAME, with a tag ``revision`` on the commit where one is given."""

    folder: Path
    name: str
    revision: str | None = None
    private: bool = False

    def __post_init__(self) -> None:
        """Raises UserError for a name or a tag that the hub would refuse."""
        try:
            validate_repo_id(self.name)
        except HFValidationError as error:
            raise UserError(f"--push-to {self.name}: {error}") from None
        if "/" not in self.name:
            raise UserError(f"--push-to {self.name}: names no owner; write OWNER/{self.name}")
        if self.revision is not None and not _TAG.fullmatch(self.revision):
            raise UserError(f"--revision {self.revision}: no name for a tag; use letters, digits and .-_/, such as v1.0")

    def listing(self) -> str:
        """All that ``send`` would send, a line a file: size in bytes, SHA-256, path. Nothing is asked of the hub."""
        digests = checksums.verify(self.folder)
        files = checksums.contents(self.folder)
        sizes = {path: file.stat().st_size for path, file in files.items()}
        rows = [f"{sizes[path]:>12}  {digests.get(path) or checksums.digest(file)}  {path}" for path, file in files.items()]
        kind = "private " if self.private else ""
        tag = f", tagged {self.revision}" if self.revision else ""
        head = f"to {constants.ENDPOINT}/{self.name}, a {kind}model repository, in one commit{tag}:"
        total = f"{len(rows)} files, {sum(sizes.values())} bytes; what else an earlier push has left there would go"
        return "\n".join([head, *rows, total])

    def send(self) -> str:
        """Push the folder and give the commit's address.

        Raises UserError for a folder that is not as it was published, without a token or an answer, and for a repository that may not be
        written to, is public where it should be private, holds something other than a published model, or has the tag already.
        """
        checksums.verify(self.folder)
        if get_token() is None:
            raise UserError(f"--push-to {self.name}: no token; log in with `hf auth login`, or set HF_TOKEN")
        api = HfApi()
        with _in_one_line(self.name):
            there = self._repository(api)
            files = checksums.contents(self.folder)
            old = {file.rfilename for file in there.siblings or ()} - {".gitattributes", *files}
            commit = api.create_commit(
                self.name,
                [CommitOperationDelete(path, is_folder=False) for path in sorted(old)]
                + [CommitOperationAdd(path, str(file)) for path, file in files.items()],
                commit_message=f"Publish {self.revision or self.folder.name}",
                parent_commit=there.sha,  # nobody has pushed in between
            )
            if self.revision:
                api.create_tag(self.name, tag=self.revision, revision=commit.oid)
        return commit.commit_url

    def _repository(self, api: HfApi) -> ModelInfo:
        """The repository as it is before the push; made, if it is not there. All that can be refused is refused here."""
        try:
            there = api.model_info(self.name, timeout=TIMEOUT)
        except RepositoryNotFoundError:
            api.create_repo(self.name, private=self.private or None, exist_ok=True)
            return api.model_info(self.name)
        if self.private and not there.private:
            raise UserError(f"{self.name}: exists and is public; make it private on the hub, or name another repository")
        paths = {file.rfilename for file in there.siblings or ()}
        if checksums.NAME not in paths and not paths <= _HUBS_OWN:
            raise UserError(f"{self.name}: holds something other than a published model; name a new or empty repository")
        if self.revision:
            refs = api.list_repo_refs(self.name)
            if self.revision in {ref.name for ref in (*refs.tags, *refs.branches)}:
                raise UserError(f"{self.name}: the tag {self.revision} is taken there; name another with --revision")
        return there


@contextlib.contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    """Raises UserError for what the hub refuses and where it is not reached."""
    try:
        yield
    except HfHubHTTPError as error:
        raise UserError(f"{name}: {_refusal(error)}") from None
    except (HTTPError, OfflineModeIsEnabled) as error:
        raise UserError(f"{name}: the hub was not reached; check the network ({first_line(error)})") from None
    except ValueError as error:  # the library's own word for a card that the hub refuses
        raise UserError(f"{name}: the hub refused it ({' '.join(str(error).split())})") from None
    except RuntimeError as error:  # and for a file that did not get through
        raise UserError(f"{name}: {first_line(error)} ({first_line(error.__cause__ or error)}); push again") from None


def _refusal(error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if status == 401:
        return "the hub did not take the token; log in again with `hf auth login`"
    if status == 403:
        return "this token may not write there: the repository is somebody else's, or the token only reads"
    if status == 409:
        return "the hub has it already (the tag, or another push at the same time); look there and push again"
    if status == 412:
        return "somebody else has pushed at the same time; push again"
    return f"the hub refused it with status {status} ({error.server_message or first_line(error)}); try again later"

"""Models from the Hugging Face hub, each failure said in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of whichever client the library is built on
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from .errors import UserError, first_line
from .files import shown

_NETWORK_TIMEOUT = 5.0  # seconds to wait for the hub's first answer about a file


class HubNotReachedError(UserError):
    """No answer from the hub, and no copy of the model in its cache."""


def download(name: str, patterns: Sequence[str], ignored: Sequence[str] = ()) -> Path:
    """The folder of the hub's cache that holds a model's files of these patterns; what is there already is not fetched again.

    Raises UserError for a name that the hub does not know or does not show and for a cache that cannot be written, and its subclass
    HubNotReachedError where there is no answer.
    """
    where = shown(name)
    try:
        return Path(
            snapshot_download(name, allow_patterns=list(patterns), ignore_patterns=list(ignored) or None, etag_timeout=_NETWORK_TIMEOUT)
        )
    except GatedRepoError:
        raise UserError(f"{where}: its owner grants access on the hub; ask for it there, then `hf auth login`") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UserError(
            f"{where}: neither a folder here nor a model on the hub; check the spelling, or log in with `hf auth login` if it is private"
        ) from None
    except (LocalEntryNotFoundError, HTTPError) as error:
        raise HubNotReachedError(
            f"{where}: not a folder here, and the hub was not reached; check the path or the network ({first_line(error)})"
        ) from None
    except OSError as error:  # after the hub's own, which are OSErrors too
        reason = error.strerror or first_line(error)
        raise UserError(f"{where}: the hub's cache cannot be written: {reason}; make room, or set HF_HOME to another folder") from None

"""What a published folder's own code reads, in a bare process: `python -I trusted_doors.py < JOB > ANSWERS`; see ``publish.check_trusted``.

The job is a JSON object: ``folder`` and ``texts``. The answers are those of ``pipeline("gozareh", …)``, one a text. Nothing of this project
can be imported but what lies in the folder.
"""

import json
import sys

from transformers import AutoModel, pipeline


def main() -> None:
    """Open both doors that ask for trust."""
    job = json.load(sys.stdin)
    for name in ("gozareh", "models", "train"):
        sys.modules[name] = None  # type: ignore[assignment] # importing it fails
    AutoModel.from_pretrained(job["folder"], trust_remote_code=True)
    both = pipeline("gozareh", job["folder"], trust_remote_code=True, device="cpu")  # type: ignore[call-overload] # the task is ours
    print(json.dumps(both(job["texts"])))


if __name__ == "__main__":
    main()

"""What one door gives, in a bare process: `python -I cells.py < JOB`. Nothing of this project can be imported but where the door is ours.

The job is a JSON object: door, folder, repo (the same folder as a name in the hub's cache), root (of the checkout), texts, fits (the places
of those that are no longer than a window), reading (the window and the overlap), lines (the card's, for onnxruntime alone), cells ([device,
dtype] pairs). Printed: one JSON list, for each cell {"kind of input": answers to all the texts, in order} or {"error": "…"}.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Job = Mapping[str, Any]
Answers = dict[str, list[Any]]


def plain(answers: Answers) -> Answers:
    """The same through JSON, which fails for anything but its own types."""
    return json.loads(json.dumps(answers))


def ways(pipe: Callable[..., Any], texts: list[str], **options: Any) -> Answers:
    """The texts given in each way that every pipeline takes."""
    from datasets import Dataset
    from transformers.pipelines.pt_utils import KeyDataset

    rows = KeyDataset(Dataset.from_dict({"text": texts}), "text")
    return {
        "one by one": [pipe(text, **options) for text in texts],
        "list": pipe(texts, **options),
        "batches": pipe(texts, batch_size=3, **options),
        "generator": list(pipe((text for text in texts), **options)),
        "data set": list(pipe(rows, **options)),
        "data set in batches": list(pipe(rows, batch_size=2, **options)),
    }


def spans(job: Job, device: str, dtype: str) -> Answers:
    """Stock token classification: [label, start, end, score] of each text."""
    from transformers import pipeline

    pipe = pipeline(
        "token-classification",
        job["folder"],
        aggregation_strategy="simple",
        stride=job["reading"]["overlap"],
        device=device,
        dtype=dtype,
    )
    answers = ways(pipe, job["texts"])
    return {
        way: [[[x["entity_group"], x["start"], x["end"], float(x["score"])] for x in found] for found in answers[way]] for way in answers
    }


def claims(job: Job, device: str, dtype: str) -> Answers:
    """Stock text classification on the folder's claim/: {label: score} of each text that fits; a longer one must raise, not be cut."""
    return stock_claims(job, device, dtype, job["folder"] + "/claim")


def subfolder(job: Job, device: str, dtype: str) -> Answers:
    """The same by name from the hub's cache, claim/ being a sub-folder of the repository."""
    return stock_claims(job, device, dtype, job["repo"], model_kwargs={"subfolder": "claim"})


def stock_claims(job: Job, device: str, dtype: str, name: str, **options: Any) -> Answers:
    from transformers import pipeline

    pipe = pipeline("text-classification", name, device=device, dtype=dtype, **options)
    answers = ways(pipe, [job["texts"][i] for i in job["fits"]], top_k=None)
    if device == "cpu":  # a GPU says the same with an assertion, after which the process can't go on
        try:
            cut = pipe(max(job["texts"], key=len))
        except (IndexError, RuntimeError):
            cut = None
        if cut is not None:
            raise AssertionError("a text longer than the encoder was cut and nothing said")
    return {way: [{x["label"]: x["score"] for x in found} for found in answers[way]] for way in answers}


def one_pass(job: Job, device: str, dtype: str, name: str, **options: Any) -> Answers:
    from datasets import Dataset
    from transformers import pipeline

    pipe = pipeline("gozareh", name, device=device, dtype=dtype, **options)
    return ways(pipe, job["texts"]) | {"column": list(pipe(Dataset.from_dict({"text": job["texts"]})["text"]))}


def registered(job: Job, device: str, dtype: str) -> Answers:
    """pipeline("gozareh") by `import gozareh`."""
    sys.path.insert(0, job["root"])
    import gozareh  # noqa: F401

    return one_pass(job, device, dtype, job["folder"])


def trusted(job: Job, device: str, dtype: str) -> Answers:
    """pipeline("gozareh") by the folder's own code."""
    return one_pass(job, device, dtype, job["folder"], trust_remote_code=True)


def trusted_repo(job: Job, device: str, dtype: str) -> Answers:
    """The same by name from the hub's cache."""
    return one_pass(job, device, dtype, job["repo"], trust_remote_code=True)


def auto(job: Job, device: str, dtype: str) -> Answers:
    """AutoModel and AutoTokenizer: tag and claim probabilities of each text, cut to the window by the caller's own word."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["folder"])
    model = AutoModel.from_pretrained(job["folder"], trust_remote_code=True, dtype=dtype).to(device).eval()
    rows = []
    for text in job["texts"]:
        batch = tokenizer(text, truncation=True, max_length=job["reading"]["window"], return_tensors="pt").to(device)
        with torch.no_grad():
            output = model(**batch)
        tags, claim = (x.float().softmax(-1)[0].tolist() for x in (output.logits, output.claim_logits))
        rows.append({"tags": tags, "claim": claim})
    return {"one by one": rows}


def predictor(job: Job, device: str, dtype: str) -> Answers:
    """gozareh.load(…).predict: by torch or, 8-bit, by onnxruntime."""
    sys.path.insert(0, job["root"])
    import gozareh

    load = gozareh.load(job["folder"], engine="onnx") if dtype == "int8" else gozareh.load(job["folder"], device=device, engine="torch")
    read: Callable[[Iterable[Any]], list[Any]] = lambda texts: [prediction.to_dict() for prediction in load.predict(texts)]  # noqa: E731
    return {
        "list": read(job["texts"]),
        "one by one": [read([text])[0] for text in job["texts"]],
        "generator": read(text for text in job["texts"]),
        "batches": [prediction.to_dict() for prediction in load.predict(job["texts"], batch_size=2)],
    }


def onnx(job: Job, device: str, dtype: str) -> Answers:
    """The graph by onnxruntime, tokenizers and numpy alone, by the lines of the card: what they leave in ``spans`` and ``claim``."""
    lines = compile(job["lines"], "README.md", "exec")

    def read(text: str) -> dict[str, Any]:
        names: dict[str, Any] = {"DIR": job["folder"], "text": text}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(lines, names)
        return {"spans": names["spans"], "claim": names["claim"].tolist()}

    answers = {"one by one": [read(text) for text in job["texts"]]}
    if loaded := {"torch", "transformers", "gozareh", "models"} & {name for name, module in sys.modules.items() if module}:
        raise AssertionError(f"{', '.join(sorted(loaded))} was imported")
    return answers


DOORS: dict[str, Callable[[Job, str, str], Answers]] = {
    "spans": spans,
    "claims": claims,
    "subfolder": subfolder,
    "registered": registered,
    "trusted": trusted,
    "trusted_repo": trusted_repo,
    "auto": auto,
    "predictor": predictor,
    "onnx": onnx,
}
OURS = {"registered", "predictor"}  # doors that may import the project


def main() -> None:
    """Open the job's door once for each of its cells."""
    job = json.load(sys.stdin)
    if job["door"] not in OURS:
        sys.modules.update(dict.fromkeys(("gozareh", "models", "train"), None))
    results = []
    for device, dtype in job["cells"]:
        try:
            results.append(plain(DOORS[job["door"]](job, device, dtype)))
        except Exception as error:  # whatever it is, it is the cell's answer
            traceback.print_exc()
            results.append({"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]})
    print(json.dumps(results))


if __name__ == "__main__":
    main()

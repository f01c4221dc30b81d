"""What ``benchmarks.predict`` compares, each in a process of its own that is asked over a pipe: ``python -m benchmarks.contenders``.

A contender imports what it needs and no more, so that the peak of its memory is its own. Questions and answers are pickled.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.encoding import Ids, Outputs

ROWS = 512  # tokens, as in the ONNX engine's batches
BURST = 0.2  # seconds
BURSTS = 5


class Reader:
    """Something that reads sentences: ``read`` is what is timed."""

    def read(self, texts: list[str]) -> Any:
        """Read the sentences to the end."""
        raise NotImplementedError

    def timed(self, texts: list[str]) -> tuple[float, float]:
        """Seconds that pass, and seconds of processor time that all threads spend, while the sentences are read."""
        wall, processor = time.perf_counter(), time.process_time()
        self.read(texts)
        return time.perf_counter() - wall, time.process_time() - processor

    def latencies(self, texts: list[str]) -> list[float]:
        """Seconds that each sentence takes, read by itself."""
        return [self.timed([text])[0] for text in texts]

    def peak_mb(self) -> float:
        """The most memory that this process has had in use (getrusage would count that of the process it was forked from)."""
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Stock(Reader):
    """The two pipelines of transformers, one after the other on the same list."""

    def __init__(self, folder: str, batch_size: int | None = None) -> None:
        from transformers import pipeline  # noqa: PLC0415 - see the module's docstring

        self.options = {"batch_size": batch_size} if batch_size else {}
        self.spans = pipeline("token-classification", folder, aggregation_strategy="simple", device="cpu")
        self.claims = pipeline("text-classification", f"{folder}/claim", device="cpu")

    def read(self, texts: list[str]) -> Any:
        """As a user would call them."""
        return self.spans(texts, **self.options), self.claims(texts, **self.options)


class Ours(Reader):
    """Predictor with one of its engines."""

    def __init__(self, folder: str, engine: str) -> None:
        from models.predictor import load  # noqa: PLC0415 - see the module's docstring

        self.predictor = load(folder, "cpu", engine)

    def read(self, texts: list[str]) -> Any:
        """Each text is a document."""
        return list(self.predictor.predict(texts))

    def sentences(self, texts: list[str]) -> Any:
        """What is read in each text, taken as one sentence."""
        return self.predictor.read(texts)


class Replayed(Ours):
    """Predictor around an engine that remembers what it answered: on sentences met before, the time is that of all but the engine."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, "onnx")
        self.engine, self.budget = self.predictor.engine, self.predictor.engine.budget
        self.answers: dict[tuple[Any, bytes], Future[Outputs]] = {}
        self.predictor.engine = self

    def submit(self, input_ids: Ids, attention_mask: Ids) -> Future[Outputs]:
        """See ``models.predictor.Engine``."""
        key = input_ids.shape, input_ids.tobytes()
        if key not in self.answers:
            self.answers[key] = self.engine.submit(input_ids, attention_mask)
        return self.answers[key]


class Products:
    """The matrix products of one encoder layer and nothing else: what a library's processor time could at best be spent on.

    torch shares each product between its threads; onnxruntime's run side by side, one a processor, as ``OnnxEngine`` runs batches.
    """

    def __init__(self, library: str, width: int, inner: int) -> None:
        shapes = [(width, width)] * 4 + [(width, inner), (inner, width)]
        self.flop = 2 * ROWS * sum(rows * columns for rows, columns in shapes)
        if library == "torch":
            self.lanes = [_torch_layer(shapes)]
        else:
            self.lanes = [_onnx_layer(shapes, eight_bits=library == "int8") for _ in os.sched_getaffinity(0)]

    def gflops(self) -> float:
        """The best of a few bursts."""
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            return max(sum(pool.map(self._burst, self.lanes)) for _ in range(BURSTS))

    def _burst(self, run: Any) -> float:
        runs, began = 0, time.perf_counter()
        while (seconds := time.perf_counter() - began) < BURST:
            run()
            runs += 1
        return runs * self.flop / seconds / 1e9


def _torch_layer(shapes: list[tuple[int, int]]) -> Any:
    import torch  # noqa: PLC0415 - see the module's docstring

    pairs = [(torch.randn(ROWS, rows), torch.nn.Linear(rows, columns, bias=False)) for rows, columns in shapes]
    return torch.inference_mode()(lambda: [linear(x) for x, linear in pairs])


def _onnx_layer(shapes: list[tuple[int, int]], *, eight_bits: bool) -> Any:
    """A graph of the products alone, run on one thread into memory that is kept."""
    import numpy as np  # noqa: PLC0415 - see the module's docstring
    import onnx  # noqa: PLC0415
    from onnxruntime import InferenceSession, OrtValue  # type: ignore[attr-defined] # noqa: PLC0415

    from models.onnx_engine import session_options  # noqa: PLC0415

    dice = np.random.default_rng(13)
    kind, name = (np.uint8, "uint8") if eight_bits else (np.float32, "float")
    weights: dict[str, Any] = {"scale": np.float32(0.01), "zero": np.uint8(128)}
    inputs, outputs, nodes = {}, [], []
    for i, (rows, columns) in enumerate(shapes):
        inputs[f"{name}[{ROWS},{rows}] x{rows}"] = dice.integers(0, 256, (ROWS, rows)).astype(kind)
        outputs.append(f"float[{ROWS},{columns}] y{i}")
        weights[f"w{i}"] = dice.integers(-127, 128, (rows, columns)).astype(np.int8 if eight_bits else np.float32)
        weights[f"scales{i}"] = np.full(columns, 0.01, np.float32)
        eight = f"com.microsoft.MatMulIntegerToFloat(x{rows}, w{i}, scale, scales{i}, zero)"
        nodes.append(f"y{i} = " + (eight if eight_bits else f"MatMul(x{rows}, w{i})"))
    head = '<ir_version: 9, opset_import: ["": 18, "com.microsoft": 1]>'
    model = onnx.parser.parse_model(f"{head} layer ({', '.join(inputs)}) => ({', '.join(outputs)}) {{ {' '.join(nodes)} }}")
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items())
    session: Any = InferenceSession(model.SerializeToString(), session_options(), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for given, array in inputs.items():
        binding.bind_cpu_input(given.split()[1], array)
    for i, (_, columns) in enumerate(shapes):
        binding.bind_ortvalue_output(f"y{i}", OrtValue.ortvalue_from_shape_and_type([ROWS, columns], np.float32))
    return lambda: session.run_with_iobinding(binding)


KINDS = {kind.__name__: kind for kind in (Stock, Ours, Replayed, Products)}


def main() -> None:
    """Be a contender on the processors named, and answer what is asked until nobody asks."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    processors, kind, *arguments = pickle.load(sys.stdin.buffer)
    os.sched_setaffinity(0, processors)  # before any library counts them
    contender = KINDS[kind](*arguments)
    with contextlib.suppress(EOFError):
        while True:
            question, *given = pickle.load(sys.stdin.buffer)
            pickle.dump(getattr(contender, question)(*given), out)
            out.flush()


if __name__ == "__main__":
    main()

"""Shards read by Ray Data: one task reads the sources, actors hold a Predictor each, the command that was called writes.

The sources are read, and the output is written, on the machine of the command, so that no disk need be shared; the model is named, so that
each machine must find it under that name, with this package installed. What is written is what a run without Ray writes.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import UserError
from .shards import Cutter, Job, Read, Shard

try:
    import ray
    from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask, read_datasource
    from ray.data.block import BlockMetadata
except ImportError:
    raise UserError("--ray: the package ray is not installed; pip install 'gozareh[ray]', or use --workers") from None

_PATIENCE = 5.0  # seconds to wait for a Ray to answer
_STORE = 256 << 20  # bytes of memory for shards under way, in a Ray that is started here


def read_by_ray(shards: Cutter, job: Job, address: str, workers: int, cpus: float) -> Read:
    """Read shards with ``workers`` actors that ask for ``cpus`` each, on the Ray at ``address``, or one started for this run ("local").

    Raises UserError where there is no Ray at that address, or where Ray gives up.
    """
    _connect(address, workers, cpus)
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # a shard is a block of its own: the unit that is handed to an actor, and what goes on at once
    rows = read_datasource(_Shards(shards), override_num_blocks=1, num_cpus=0).map_batches(
        _Actor,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ActorPoolStrategy(size=workers),
        num_cpus=cpus,
    )
    try:
        for row in rows.iter_rows():
            shard, data = pickle.loads(row["shard"])
            if isinstance(data, UserError):
                raise data
            yield shard, data
    except ray.exceptions.RayError as error:
        raise UserError(f"--ray: {str(error).strip().splitlines()[-1]}; the finished shards are kept") from None
    finally:
        ray.shutdown()


def _connect(address: str, workers: int, cpus: float) -> None:
    _check(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    where: dict[str, Any] = {"address": address}
    if address == "local":
        # a machine has a whole number of processors; what an actor asks for may be a share of one
        where |= {"num_cpus": math.ceil(workers * cpus), "include_dashboard": False, "object_store_memory": _STORE}
        # its workers import this package from where this process has it
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    try:
        ray.init(**where, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"--ray {address}: {reason}; name HOST:PORT of a Ray that runs, or no address to start one here") from None


def _check(address: str) -> None:
    """Whether anything answers: Ray itself tries for minutes, then ends the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()) and address not in ("auto", "local"):
        raise UserError(f"--ray {address}: no address; name HOST:PORT, ray://HOST:PORT, auto, or none to start a Ray here")
    if host:
        try:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: of "127.0.0..1"
            raise UserError(f"--ray {address}: no answer ({error}); check the address, or name none to start a Ray here") from None


class _Shards(Datasource):
    """The shards as one stream of rows, read on the machine of the command."""

    def __init__(self, shards: Cutter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._shards = shards

    @property
    def supports_distributed_reads(self) -> bool:
        """No: the files are here."""
        return False

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown."""
        return None

    def get_read_tasks(
        self,
        parallelism: int,  # noqa: ARG002 - as Ray calls it
        per_task_row_limit: int | None = None,  # noqa: ARG002
        data_context: DataContext | None = None,  # noqa: ARG002
    ) -> list[ReadTask]:
        """One task, however many are asked for: a stream has one reader."""
        shards = self._shards
        nothing_known = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(lambda: _blocks(shards), nothing_known)]


def _blocks(shards: Iterable[Shard]) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415 - in a worker of Ray

    for shard in shards:
        yield pa.table({"shard": pa.array([pickle.dumps(shard)], pa.large_binary())})


class _Actor:
    """A worker that holds a model."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The shard, with its file or why the model cannot be loaded here."""
        (packed,) = batch["shard"]
        shard: Shard = pickle.loads(packed)
        try:
            data: bytes | UserError = self._job.read(shard.articles)
        except UserError as error:
            data = error
        return {"shard": [pickle.dumps((shard, data))]}

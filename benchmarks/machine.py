"""What figures depend on: the machine, the versions, the commit; and where the repository is."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FLAGS = {"avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_bf16", "amx_int8"}
PACKAGES = ("torch", "transformers", "tokenizers", "onnxruntime", "numpy")


def machine() -> dict[str, Any]:
    """Processor, how many of them this process may use, versions, commit."""
    flags = sorted(FLAGS.intersection(Path("/proc/cpuinfo").read_text(encoding="utf-8").split()))
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    versions = {"python": platform.python_version()} | {package: version(package) for package in PACKAGES}
    found = {"device": _processor(), "processors": len(os.sched_getaffinity(0)), "flags": flags, "load before": os.getloadavg()[0]}
    return found | {"versions": versions, "commit": git.stdout.strip()}


def _processor() -> str:
    """The processor's name, where the system tells."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text(encoding="utf-8")) if info.exists() else None
    return found[1] if found else platform.processor()

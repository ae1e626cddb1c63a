"""The machine and the versions, for the report."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path

from benchmarks.processes import PACKAGES, ProgramFailed, run_program
from benchmarks.rally_bench import COMMAND

#: Instruction sets that decide about speed.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile")
PYTHON_PACKAGES = ("torch", "onnxruntime", "numpy")


def describe() -> dict[str, str]:
    """Return facts by name, in the order of the report."""
    return _processor() | _versions()


def _processor() -> dict[str, str]:
    text = Path("/proc/cpuinfo").read_text()
    facts = dict(re.findall(r"^([a-z ]+?)\s*: (.*)$", text, re.MULTILINE))
    flags = facts.get("flags", "").split()
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    numbers = f"family {facts.get('cpu family')}, model {facts.get('model')}"
    return {
        "processor": f"{facts.get('model name', platform.processor())}, {numbers}",
        "cores": str(os.cpu_count()),
        "instruction sets": ", ".join(flag for flag in FLAGS if flag in flags),
        "last cache": facts.get("cache size", "?"),
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "?",
        "system": f"{_distribution()}, Linux {platform.release()}",
    }


def _distribution() -> str:
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE)
    return name[1] if name else "?"


def _versions() -> dict[str, str]:
    llama = re.search(r"^version=(.*)$", (PACKAGES / "build-llama").read_text(), re.MULTILINE)
    versions = {"Rally": _first_line([COMMAND, "--version"])}
    versions["llama.cpp"] = f"as in llama-cpp-python {llama[1] if llama else '?'}, its default build"
    versions |= {name: metadata.version(name) for name in PYTHON_PACKAGES}
    return versions | {"C compiler": _first_line(["cc", "--version"]), "Python": platform.python_version()}


def _first_line(command: list[str | Path]) -> str:
    try:
        return run_program(command).splitlines()[0]
    except ProgramFailed as error:
        return str(error)

"""Loading the library: where it is looked for, its prototypes, the check of its structs.

What the library consists of is declared in `rally._c`, which is written from the header. When the library is loaded,
its own account of its structs (``rally_abi_layout``) is compared with these declarations.
"""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Mapping
from ctypes import POINTER, Structure, byref, c_int, sizeof
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

from ._c.codes import (
    Batching,
    Dtype,
    Exit,
    Join,
    Kind,
    KvPolicy,
    Reading,
    Routing,
    ScoreRule,
    Selection,
    Switch,
)
from ._c.functions import FALLIBLE, PLAIN
from ._c.structs import (
    STRUCTS,
    Error,
    Event,
    EventCallback,
    Handle,
    Matrix,
    ProgressCallback,
    Request,
)
from .errors import RallyError, Status

__all__ = ["Event", "EventCallback", "Handle", "Library", "Matrix", "ProgressCallback", "Request", "library"]

LIBRARY_NAME = "librally.so.0"
LIBRARY_VARIABLE = "RALLY_LIBRARY"


def _by_name(codes: type[IntEnum]) -> dict[str, int]:
    return {code.name.lower(): int(code) for code in codes}


def _by_default(codes: type[IntEnum]) -> dict[str | None, int]:
    """The same with None for what the model file says."""
    return {None if name == "default" else name: value for name, value in _by_name(codes).items()}


DTYPES = _by_name(Dtype)
CACHE_DTYPES = {name: value for name, value in DTYPES.items() if name not in ("auto", "q4")}
DTYPE_NAMES = {value: name for name, value in DTYPES.items()}
KIND_NAMES = {value: name for name, value in _by_name(Kind).items()}
ROUTING_NAMES = {value: name for name, value in _by_name(Routing).items()}
EXIT_NAMES = {value: name for name, value in _by_name(Exit).items()}
KV_POLICIES: dict[str | None, int] = {
    None if code is KvPolicy.DEFAULT else code.name.lower(): int(code) for code in KvPolicy
}
KV_POLICY_NAMES = {value: name for name, value in KV_POLICIES.items()}
SELECTIONS = _by_name(Selection)
SCORE_RULE_NAMES = {value: name for name, value in _by_name(ScoreRule).items()}
READINGS = _by_default(Reading)
JOINS = _by_default(Join)
SWITCHES = {None: int(Switch.DEFAULT), False: int(Switch.OFF), True: int(Switch.ON)}
BATCHINGS = _by_name(Batching)


class Library:
    """The loaded library, its prototypes declared and its struct layout checked.

    Parameters
    ----------
    path : str
        A file, or a name for the system's loader.

    Raises
    ------
    OSError
        The file cannot be loaded.
    ImportError
        It is another version of Rally, or not Rally.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.c = ctypes.CDLL(path)
        try:
            for name, (restype, argtypes) in PLAIN.items():
                self._declare(name, restype, argtypes)
            for name, argtypes in FALLIBLE.items():
                self._declare(name, c_int, (*argtypes, POINTER(Error)))
        except AttributeError as error:
            raise ImportError(f"{path} is not a Rally library that this package knows: {error}") from None
        check_layout(self.c.rally_abi_layout().decode(), path)

    def _declare(self, name: str, restype: Any, argtypes: tuple[Any, ...]) -> None:
        function = getattr(self.c, name)
        function.restype = restype
        function.argtypes = argtypes

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function that can fail; its error becomes a `RallyError`."""
        error = Error(struct_size=sizeof(Error))
        status = getattr(self.c, name)(*arguments, byref(error))
        if status != Status.OK:
            message = error.message.decode("utf-8", "replace")
            raise RallyError(status, message or f"{name} failed")

    def new(self, name: str) -> Any:
        """A struct by its C name, every field at the library's default."""
        value = STRUCTS[name]()
        getattr(self.c, f"{name}_init")(byref(value), sizeof(value))
        return value


def parse_layout(text: str) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Reads ``rally_abi_layout``: sizes by struct, (offset, size) by ``struct.field``."""
    sizes: dict[str, int] = {}
    fields: dict[str, tuple[int, int]] = {}
    for line in text.splitlines():
        name, *numbers = line.split() or [""]
        try:
            if "." in name:
                offset, size = map(int, numbers)
                fields[name] = (offset, size)
            elif name:
                (sizes[name],) = map(int, numbers)
        except ValueError:
            raise ImportError(
                f"rally_abi_layout: expected `struct SIZE` or `struct.field OFFSET SIZE`, found {line!r}"
            ) from None
    return sizes, fields


def check_layout(text: str, path: str, structs: Mapping[str, type[Structure]] = STRUCTS) -> None:
    """Compares the library's structs with the package's declarations.

    A newer library may have appended fields; those that this package knows must lie where it expects them.

    Raises
    ------
    ImportError
        They differ. The message names the struct or field.
    """
    sizes, fields = parse_layout(text)
    advice = "install the package and the library of one version"
    for name, struct in structs.items():
        if sizes.get(name, 0) < sizeof(struct):
            raise ImportError(
                f"{path}: {name} takes {sizes.get(name, 'no')} bytes there, {sizeof(struct)} in this package; {advice}"
            )
        for field, *_ in struct._fields_:
            descriptor = getattr(struct, field)
            expected, found = (descriptor.offset, descriptor.size), fields.get(f"{name}.{field}")
            if found != expected:
                raise ImportError(
                    f"{path}: {name}.{field} has (offset, size) {found} there, {expected} in this package; {advice}"
                )


def candidates() -> list[str]:
    """Where the library is looked for, in order; only the variable's answer where ``RALLY_LIBRARY`` is set.

    The package's own folder, the checkout that the package lies in, and what the system's loader finds. Never a
    folder above ``site-packages``, which may be anyone's.
    """
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        return [chosen]
    package = Path(__file__).resolve().parent
    files = [package / "lib" / LIBRARY_NAME]
    if (checkout := _checkout(package)) is not None:
        files.insert(0, checkout / ".build" / "release" / LIBRARY_NAME)
    return [*map(str, files), LIBRARY_NAME]


def _checkout(package: Path) -> Path | None:
    """The checkout of Rally that ``package`` is a part of, for an editable installation."""
    for root in package.parents[2:3]:
        if package == root / "Bindings" / "python" / "rally" and (root / "include" / "rally.h").is_file():
            return root
    return None


def _other_rally(package: Path) -> bool:
    """Whether OpenStack's benchmark of the same name has been installed into the same folder."""
    return (package / "verification").is_dir() and (package / "task").is_dir()


@cache
def library() -> Library:
    """The one library of this process, loaded at the first call.

    Raises
    ------
    ImportError
        It was not found, cannot be loaded, or does not fit this package.
    """
    package = Path(__file__).resolve().parent
    if _other_rally(package):
        warnings.warn(
            f"{package} also holds OpenStack's package `rally`, which has the same import name: one of the two overwrites "
            "files of the other; keep them in separate environments",
            RuntimeWarning,
            stacklevel=2,
        )
    tried = []
    for path in candidates():
        if os.sep in path and not os.path.exists(path):
            tried.append(f"{path} (no such file)")
            continue
        try:
            return Library(path)
        except OSError as error:
            tried.append(f"{path} ({error})")
    raise ImportError(
        f"the Rally library was not found. Install the wheel `rally-runtime`, run `make install` or `make build`, or set "
        f"{LIBRARY_VARIABLE} to the path of {LIBRARY_NAME}. Tried: " + "; ".join(tried)
    )


def version() -> str:
    """The version of the loaded library, "major.minor.patch"."""
    return str(library().c.rally_version().decode())


def build_info() -> dict[str, str]:
    """How the loaded library was built, for reports of faults: version, commit, compiler, architecture and more."""
    lines = str(library().c.rally_build_info().decode("utf-8", "replace")).splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def instruction_set() -> str:
    """The instruction set in use, such as "avx2"."""
    return str(library().c.rally_instruction_set().decode())

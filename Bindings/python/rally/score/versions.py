"""How to tell that an input has changed: by what is in it, not by its time."""

from __future__ import annotations

import hashlib
import os
from typing import Any

#: Bytes of a file's beginning and of its end that are looked at.
_END_BYTES = 1 << 16

#: What file systems say of a file's content or version, the first that there is.
_TOLD = ("ETag", "etag", "md5Hash", "CRC", "version_id", "LastModified", "last_modified", "mtime", "created")

DIGESTS = ("ends", "full")


def local_version(path: str, digest: str) -> str:
    """A digest of the size, the first and the last 64 KiB, or of all."""
    with open(path, "rb", buffering=0) as file:
        if digest == "full":
            return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
        size = os.fstat(file.fileno()).st_size
        head = _exactly(file, min(size, _END_BYTES))
        file.seek(max(size - _END_BYTES, 0))
        tail = _exactly(file, min(size, _END_BYTES))
    return f"ends {_ends(size, head, tail)}"


def remote_version(system: Any, place: str, told: dict[str, Any]) -> str:
    """What the store says of the file's version; where it says nothing, a digest of its size and ends."""
    for key in _TOLD:
        if told.get(key) is not None:
            return f"{key} {told[key]}"
    size = int(told["size"])
    head = system.cat_file(place, start=0, end=min(size, _END_BYTES)) if size else b""
    tail = system.cat_file(place, start=max(size - _END_BYTES, 0), end=size) if size else b""
    return f"ends {_ends(size, head, tail)}"


def _exactly(file: Any, count: int) -> bytes:
    parts = []
    while count > 0 and (part := file.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _ends(size: int, head: bytes, tail: bytes) -> str:
    total = hashlib.sha256(size.to_bytes(8, "little"))
    total.update(head)
    total.update(tail)
    return total.hexdigest()[:32]

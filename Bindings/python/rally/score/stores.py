"""Names of files elsewhere: URLs, and chains of them, in which a name may hold ``::`` itself."""

from __future__ import annotations

from typing import Any

import fsspec

#: What reads inside of a file, which is named after it.
_INSIDE = ("zip", "tar", "libarchive")


def located(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the place on it.

    Raises
    ------
    ValueError, ImportError, OSError
        As fsspec does.
    """
    chain = links(url)
    at = first(chain)
    if all("::" not in link for link in chain):
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    protocol, _, name = chain[at].partition("://")
    system, _ = fsspec.core.url_to_fs("::".join([*chain[:at], f"{protocol}://", *chain[at + 1 :]]))
    return system, system._strip_protocol(chain[at]) if at == len(chain) - 1 else name


def links(url: str) -> list[str]:
    """The parts of a chain. What begins with no protocol belongs to the name before it, but for what an archive is in."""
    chain: list[str] = []
    parts = url.split("::")
    for place, part in enumerate(parts):
        is_archive = place == len(parts) - 1 and any(link.partition("://")[0] in _INSIDE for link in chain[-1:])
        if not chain or is_archive or "://" in part or part in fsspec.available_protocols():
            chain.append(part)
        else:
            chain[-1] += f"::{part}"
    return chain


def first(chain: list[str]) -> int:
    """Which part names the place: the first with a path."""
    return next((index for index, link in enumerate(chain) if "://" in link), 0)

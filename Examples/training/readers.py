"""Readers: one function per file format, each turning a file into plain paragraphs."""

import bz2
import gzip
import html as entities
import json
import lzma
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

BLOCK = (
    r"(?i)</?(?:p|div|h[1-6]|li|ul|ol|dl|dt|dd|tr|table|br|section|title|note|item|steps|page|q|lg|l|verse|chapter|lb)"
    r"\b[^>]*>"
)
HIDDEN = r"(?is)<(script|style|head|nav|header|footer|svg|info)\b.*?</\1>"


def load(path: Path) -> str:
    """Read a file as UTF-8 (Latin-1 if it is not), decompressing ``.gz`` and ``.dz``."""
    data = path.read_bytes()
    if path.suffix in (".gz", ".dz"):
        data = gzip.decompress(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def unwrap(text: str) -> str:
    """Join hard-wrapped lines of a paragraph; keep blank lines and indented lines as they are."""
    out = []
    for paragraph in re.split(r"\n\s*\n", text.replace("\r", "")):
        lines = paragraph.split("\n")
        wrapped = len(lines) > 1 and all(len(line) > 45 for line in lines[:-1])
        out.append(" ".join(line.strip() for line in lines) if wrapped else paragraph)
    return "\n\n".join(out)


def strip_tags(text: str) -> str:
    """Turn HTML, Mallard or OSIS into paragraphs."""
    text = re.sub(r"(?s)<!--.*?-->", "", re.sub(HIDDEN, " ", text))
    pre = re.split(r"(?is)(<pre\b.*?</pre>)", text)
    for i in range(0, len(pre), 2):
        pre[i] = re.sub(BLOCK, "\n\n", re.sub(r"\s+", " ", pre[i]))
    text = entities.unescape(re.sub(r"<[^>]+>", "", "\n\n".join(pre)))
    return re.sub(r"[ \t]+\n", "\n", re.sub(r"\n[ \t]+(?=\S)", "\n", text))


def text(path: Path) -> Iterator[str]:
    """Plain text, Markdown or reStructuredText."""
    body = load(path)
    if path.suffix == ".md":
        body = re.sub(r"[*_]{1,2}", "", body.replace("  \n", "\n"))
    if path.name == "Isaac.Newton-Opticks.txt" or "Mark.Twain" in path.name:
        body = body.replace("_", "")
    yield unwrap(body)


def html(path: Path) -> Iterator[str]:
    """HTML pages and Mallard pages."""
    yield strip_tags(load(path))


def pod(path: Path) -> Iterator[str]:
    """Perl documentation: commands become headings, codes become their text."""
    body = re.sub(r"(?m)^=(?:head\d|item) ?", "", load(path))
    body = re.sub(r"(?m)^=\w+.*$", "", body)
    for _ in range(3):
        body = re.sub(r"[A-Z]<+ ?([^<>]*?) ?>+", lambda m: m[1].split("|")[0], body)
    yield unwrap(body)


def roff(path: Path) -> Iterator[str]:
    """Manual pages: requests dropped, fonts and escapes undone, paragraphs joined."""
    out, line_mode = [], False
    for line in load(path).split("\n"):
        if line.startswith(("'", '.\\"')):
            continue
        if match := re.match(r"\.\s*(\w+)\s*(.*)", line):
            request, rest = match.groups()
            rest = rest.replace('"', "")
            if request in ("nf", "EX"):
                line_mode = True
            elif request in ("fi", "EE"):
                line_mode = False
            if request in ("SH", "SS"):
                out.append(f"\n\n{rest}\n\n")
            elif request in ("PP", "P", "TP", "IP", "LP", "nf", "fi", "EX", "EE", "sp"):
                out.append("\n\n" + (rest if request == "IP" else ""))
            elif request in ("B", "I", "SM"):
                out.append(f"{rest} ")
            elif request in ("BR", "IR", "RB", "RI", "BI", "IB"):
                out.append(rest.replace(" ", "") + " ")
        else:
            out.append(line + ("\n" if line_mode else " "))
    body = re.sub(r"\\f.|\\[&%|^,/]", "", "".join(out))
    body = re.sub(r"\\\((?:aq|cq|oq)|\\\[aq\]", "'", body.replace("\\-", "-").replace("\\e", "\\"))
    yield re.sub(r"\\\(..|\\\[\w+\]|\\s[-+]?\d", "", body)


def dictionary(path: Path) -> Iterator[str]:
    """A dictd database: entries with brackets of cross references removed."""
    body = re.sub(r"[{}]", "", load(path))
    body = re.sub(r"\n\s*\[(?:1913 Webster|PJC|WordNet 1\.5|Webster 1913 Suppl\.|[^\]\n]{0,24}PJC)\]", "\n", body)
    body = re.sub(r"\n[ \t]+(?![0-9(]|Note:|Syn:|n |v |adj )(?=\S)", " ", body)
    body = re.sub(r"\n(?=\S)", "\n\n", body)
    yield re.sub(r"[ \t]+", " ", body)


def fortunes(path: Path) -> Iterator[str]:
    """Fortune files: quotations between lines of one per cent sign."""
    if path.is_file() and not path.is_symlink():
        yield load(path).replace("\n%\n", "\n\n").replace("\t", "  ")


def game_text(path: Path) -> Iterator[str]:
    """Dungeon Crawl databases: records between percent lines, their keys dropped."""
    body = re.sub(r"(?m)^(?:%%%%|#.*)$", "", load(path))
    yield unwrap(body)


def json_verses(path: Path) -> Iterator[str]:
    """Verses as JSON lines or nested JSON, joined into chapters."""
    body = load(path)
    if path.suffix == ".jsonl":
        records = [json.loads(line) for line in body.splitlines() if line]
    else:
        records = list(verses_of(json.loads(body)))
    chapters: dict[tuple, list[str]] = {}
    for record in records:
        key = (str(record.get("book", "")), str(record.get("chapter", record.get("reference", "").split(":")[0])))
        chapters.setdefault(key, []).append(record["text"].strip())
    yield "\n\n".join(f"{' '.join(key).strip()}\n\n{' '.join(lines)}" for key, lines in chapters.items())


def verses_of(node: object) -> Iterator[dict]:
    """Every dictionary with a text field, in file order."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node
        for value in node.values():
            yield from verses_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from verses_of(value)


def sword(index: Path) -> Iterator[str]:
    """A compressed SWORD module: every zlib block that the ``.bzs``/``.czs`` index names."""
    blocks = index.with_suffix(index.suffix.replace("zs", "zz")).read_bytes()
    for start, size, _ in struct.iter_unpack("<III", index.read_bytes()):
        body = zlib.decompress(blocks[start : start + size]).decode("utf-8", "replace")
        body = re.sub(r"(?is)<note\b.*?</note>|<title\b[^>]*>|</title>", " ", body)
        yield strip_tags(re.sub(r"<verse\b[^>]*/>|\x00", " ", body))


def r_strings(path: Path) -> Iterator[str]:
    """A lazy-load R database: the character vectors of every record, as text."""
    data, at = path.read_bytes(), 0
    while at + 5 < len(data):
        unpacked, used = inflate_record(data, at)
        at += used
        lines = []
        for match in re.finditer(rb"\x00[\x00\x04]\x00\x09(....)", unpacked, re.DOTALL):
            length = struct.unpack(">i", match[1])[0]
            if 0 <= length < 400:
                lines.append(unpacked[match.end() : match.end() + length].decode("utf-8", "replace"))
        yield unwrap("\n".join(line.replace("_", "") for line in lines))


def inflate_record(data: bytes, at: int) -> tuple[bytes, int]:
    """Decompress the record at ``at``; return its bytes and its length in the file."""
    kind = data[at + 4 : at + 5]
    if kind == b"Z":
        engine, skip = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}]), 5
    elif kind == b"2":
        engine, skip = bz2.BZ2Decompressor(), 5
    else:
        engine, skip = zlib.decompressobj(), 4
    body = engine.decompress(data[at + skip :])
    return body, len(data) - at - len(engine.unused_data)

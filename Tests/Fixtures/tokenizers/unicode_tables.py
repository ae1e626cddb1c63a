"""Write what the steps of the Hugging Face library know of Unicode.

    python unicode_tables.py > Sources/Tokenization/Unicode/UnicodeTable+Data.swift

Every scalar is shown to the library's own steps, and what comes out is the table: its expressions (`Split`), its four
normal forms, its grapheme clusters (`Precompiled`), its words (`Whitespace`) and its combining marks (`StripAccents`) read
six editions of Unicode, and none is the one of the Swift or Python at hand.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

SCALARS = [value for value in range(0x110000) if not 0xD800 <= value < 0xE000]
ALL = "".join(map(chr, SCALARS))
#: Hangul syllables are taken apart and put together by arithmetic.
SYLLABLES = range(0xAC00, 0xD7A4)

CATEGORIES = (
    *(
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "Mn",
        "Mc",
        "Me",
        "Nd",
        "Nl",
        "No",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
    ),
    *(
        "Pi",
        "Pf",
        "Po",
        "Sm",
        "Sc",
        "Sk",
        "So",
        "Zs",
        "Zl",
        "Zp",
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
    ),
)
SCRIPTS = (
    *(
        "Han",
        "Hiragana",
        "Katakana",
        "Hangul",
        "Bopomofo",
        "Latin",
        "Greek",
        "Cyrillic",
        "Arabic",
        "Hebrew",
    ),
    *(
        "Devanagari",
        "Bengali",
        "Tamil",
        "Thai",
        "Lao",
        "Khmer",
        "Myanmar",
        "Tibetan",
        "Georgian",
        "Armenian",
    ),
)
#: Bits of a scalar's class, above the number of its category.
SPACE, EXPRESSION_WORD, WORD = 32, 64, 128
#: Bits of what a scalar is in a grapheme cluster.
EXTENDS, PREPENDS, CONTROLS, PICTURES = 1, 2, 4, 8
CONSONANTS, LINKERS, PICTURE_EXTENDS, CONJUNCT_EXTENDS = 16, 32, 64, 128


def matched(pattern: str) -> bytearray:
    """Mark every scalar that an expression of one character matches, by its place in `SCALARS`."""
    split = pre_tokenizers.Split(Regex(f"{pattern}+"), "removed")
    marks = bytearray(b"\1" * len(SCALARS))
    for _, (start, end) in split.pre_tokenize_str(ALL):
        marks[start:end] = bytes(end - start)
    return marks


def classes() -> list[int]:
    """Return the class of every scalar: its category to expressions, and three bits."""
    found = [CATEGORIES.index("Cn")] * len(SCALARS)
    for number, name in enumerate(CATEGORIES[:-1]):
        if name == "Cs":
            continue
        for place, mark in enumerate(matched(rf"\p{{{name}}}")):
            if mark:
                found[place] = number
    for pattern, bit in ((r"\s", SPACE), (r"\w", EXPRESSION_WORD)):
        found = [value | bit * mark for value, mark in zip(found, matched(pattern), strict=True)]
    # "a" and what follows are one word, or two pieces.
    cut = pre_tokenizers.Whitespace().pre_tokenize_str
    for place, value in enumerate(SCALARS):
        pieces = cut(f"a{chr(value)}")
        if len(pieces) == 1 and len(pieces[0][0]) == 2:
            found[place] |= WORD
    return found


def runs(values: Iterable[int], bits: int) -> Iterator[int]:
    """Yield the first scalar of each run of equal values, shifted, plus the value; surrogates are like what is before."""
    previous = None
    for scalar, value in zip(SCALARS, values, strict=True):
        if value != previous:
            yield scalar << bits | value
        previous = value


def script_ranges() -> Iterator[int]:
    """Yield, for each script, its number, the first and the last scalar of each range."""
    for number, name in enumerate(SCRIPTS):
        inside, last = False, 0
        marks = matched(rf"\p{{{name}}}")
        for scalar, mark in zip([*SCALARS, 0x110000], [*marks, 0], strict=True):
            if mark and not inside:
                yield from (number, scalar)
            if inside and not mark:
                yield last
            inside, last = bool(mark), scalar


nfd: Callable[[str], str] = normalizers.NFD().normalize_str
nfc: Callable[[str], str] = normalizers.NFC().normalize_str
nfkd: Callable[[str], str] = normalizers.NFKD().normalize_str


def entries(of: Callable[[str], str], but: Callable[[str], str]) -> Iterator[int]:
    """Yield a key, the number of its scalars, then those, where `of` changes it and otherwise than `but`."""
    for value in SCALARS:
        found = of(chr(value))
        if value not in SYLLABLES and found not in (chr(value), but(chr(value))):
            yield from (value, len(found), *map(ord, found))


def combining_classes() -> Iterator[int]:
    """Yield the scalars that are put in order, and their combining classes."""

    def after(one: str, other: str) -> bool:
        return nfd(f"a{one}{other}") == f"a{other}{one}"

    marks = [
        chr(value)
        for value in SCALARS
        if nfd(chr(value)) == chr(value) and (after(chr(value), "\u0334") or after("\u0345", chr(value)))
    ]
    # Marks of one class stay as they are; the least class comes first.
    ordered: list[list[str]] = []
    for mark in marks:
        for place, group in enumerate(ordered):
            if after(group[0], mark):
                ordered.insert(place, [mark])
                break
            if not after(mark, group[0]):
                group.append(mark)
                break
        else:
            ordered.append([mark])
    yield from (
        number
        for pair in sorted((ord(mark), rank + 1) for rank, group in enumerate(ordered) for mark in group)
        for number in pair
    )


def compositions() -> Iterator[int]:
    """Yield the pairs that become one scalar, and that scalar."""
    for value in SCALARS:
        parts = nfd(chr(value))
        if value in SYLLABLES or len(parts) < 2 or nfc(parts) != chr(value):
            continue
        first = nfc(parts[:-1])
        if len(first) == 1 and nfc(first + parts[-1]) == chr(value):
            yield from (ord(first), ord(parts[-1]), value)


def mapping(*keys: bytes) -> Callable[[str], str]:
    """Return a normalizer that makes "x" of each of some characters, and of a whole grapheme cluster that begins with one."""
    # A double array whose units all stand in blocks of 256: the children of a node are its block's, by their byte.
    nodes: dict[bytes, int] = {b"": 0}
    for key in keys:
        for end in range(1, len(key) + 1):
            nodes.setdefault(key[:end], len(nodes))
    units = [0] * (256 * (len(nodes) + 1))
    # Block n + 1 belongs to node n; the offset of a unit turns its own place into that block's.
    places = {b"": 0}
    for name, node in nodes.items():
        for byte in {key[len(name)] for key in keys if key.startswith(name) and len(key) > len(name)}:
            places[name + bytes([byte])] = 256 * (node + 1) + byte
    for name, node in nodes.items():
        unit = name[-1] if name else 0
        offset = places[name] ^ 256 * (node + 1)
        unit |= (offset << 10) if offset < 1 << 21 else (offset >> 8 << 10 | 512)
        if name in keys:
            unit |= 256
            units[256 * (node + 1)] = 1 << 31
        units[places[name]] = unit
    array = struct.pack(f"<{len(units)}I", *units)
    charsmap = struct.pack("<I", len(array)) + array + b"x\0"
    found: Callable[[str], str] = normalizers.Precompiled(charsmap).normalize_str
    return found


def cluster_bits() -> list[int]:
    """Return what every scalar is in a grapheme cluster.

    A cluster of fewer than six bytes becomes "x" as a whole where it begins with a mapped character, a longer one is taken
    apart. So an accent that is still there tells that the cluster began earlier.
    """
    letter, other, accent = mapping(b"a"), mapping(b"b"), mapping("\u0301".encode())
    picture, consonant = mapping("©".encode()), mapping("\u0958".encode())
    tests: dict[int, Callable[[str], bool]] = {
        EXTENDS: lambda one: letter(f"a{one}") == "x",
        PREPENDS: lambda one: other(f"{one}b\u0301").endswith("x\u0301"),
        CONTROLS: lambda one: accent(f"{one}\u0301\u0301").count("x") == 1,
        PICTURES: lambda one: picture(f"{one}\u200d©\u0301").endswith("x\u0301"),
        CONSONANTS: lambda one: consonant(f"{one}\u094d\u0958\u0301").endswith("x\u0301"),
        LINKERS: lambda one: consonant(f"\u0915{one}\u0958\u0301").endswith("x\u0301"),
        PICTURE_EXTENDS: lambda one: picture(f"©{one}\u200d©\u0301").endswith("x\u0301"),
        CONJUNCT_EXTENDS: lambda one: consonant(f"\u0915\u094d{one}\u0958\u0301").endswith("x\u0301"),
    }
    found = []
    for value in SCALARS:
        bits = sum(bit for bit, test in tests.items() if test(chr(value)))
        # One that joins whatever follows would pass the last tests, too.
        found.append(
            bits & ~(PICTURES | CONSONANTS | LINKERS | PICTURE_EXTENDS | CONJUNCT_EXTENDS) if bits & PREPENDS else bits
        )
    return found


def marks() -> list[int]:
    """Return 1 for every combining mark."""
    strip = normalizers.StripAccents().normalize_str
    return [int(strip(chr(value)) == "") for value in SCALARS]


def write(name: str, comment: str, values: Iterable[int]) -> None:
    """Print one table as Swift source."""
    print(f"\n  /// {comment}\n  static let {name}: [UInt32] = [")
    words = [f"0x{value:X}," for value in values]
    for start in range(0, len(words), 12):
        print("    " + " ".join(words[start : start + 12]))
    print("  ]")


if __name__ == "__main__":
    print(f"// Generated by Tests/Fixtures/tokenizers/unicode_tables.py with tokenizers {tokenizers.__version__}.")
    print("\nextension UnicodeTable {", end="")
    write(
        "classRuns",
        "For each run of scalars of one class its first scalar, times 256, plus the class's bits.",
        runs(classes(), 8),
    )
    write(
        "clusterRuns",
        "The same of what scalars are in grapheme clusters.",
        runs(cluster_bits(), 8),
    )
    write("markRuns", "The same of combining marks, times 2.", runs(marks(), 1))
    write(
        "scriptRanges",
        "The number of a script, the first and the last scalar of a range.",
        script_ranges(),
    )
    write(
        "canonicalEntries",
        "A scalar, how many it becomes in NFD, and those.",
        entries(nfd, lambda text: text),
    )
    write("compatibleEntries", "The same in NFKD, where that differs.", entries(nfkd, nfd))
    write(
        "combiningPairs",
        "A scalar, and its combining class by rank.",
        combining_classes(),
    )
    write(
        "compositionTriples",
        "Two scalars, and the one that they become in NFC.",
        compositions(),
    )
    print("}")

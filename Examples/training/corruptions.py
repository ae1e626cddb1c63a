"""Known ways to spoil text, each with a level in (0, 1].

``LISTED`` are the five that the paper names, ``EXTRA`` five more, and ``UNSEEN`` are kept for
evaluation only. Every function maps (rng, text, level) to text.
"""

import base64
import random
import re
from collections.abc import Callable

Corruption = Callable[[random.Random, str, float], str]


def spans(rng: random.Random, text: str, level: float, change: Callable[[str], str], size: int = 40) -> str:
    """Apply ``change`` to a share ``level`` of the ``size``-character spans, to one at least."""
    cut = [text[i : i + size] for i in range(0, len(text), size)]
    for place in rng.sample(range(len(cut)), max(1, round(level * len(cut)))):
        cut[place] = change(cut[place])
    return "".join(cut)


def bytes_as_text(data: bytes) -> str:
    """Read bytes as a careless pipeline would: UTF-8 with replacement."""
    return data.decode("utf-8", "replace")


def shuffled_bytes(rng: random.Random, text: str, level: float) -> str:
    """Permute a share of all bytes among themselves, or within short stretches."""
    data = bytearray(text.encode())
    stretch = rng.choice((8, 64, len(data)))
    for start in range(0, len(data), stretch):
        places = [i for i in range(start, min(start + stretch, len(data))) if rng.random() < level]
        values = [data[i] for i in places]
        rng.shuffle(values)
        for place, value in zip(places, values, strict=True):
            data[place] = value
    return bytes_as_text(bytes(data))


def wrong_encoding(rng: random.Random, text: str, level: float) -> str:
    """Decode spans with an encoding they were not written in."""
    write, read = rng.choice(
        (
            ("utf-16-le", "latin-1"),
            ("cp037", "latin-1"),
            ("utf-16-be", "cp1252"),
            ("cp500", "cp437"),
            ("utf-8", "utf-16-le"),
            ("utf-8", "cp1252"),
        )
    )
    if (write, read) == ("utf-8", "cp1252"):  # mojibake needs letters outside ASCII
        accents = str.maketrans("aeiouyncs'\"-", "áéíóúýñçš’”—")
        return spans(rng, text, level, lambda s: s.translate(accents).encode().decode("cp1252", "replace"))
    return spans(rng, text, level, lambda s: s.encode(write, "replace").decode(read, "replace"))


CONFUSED = {
    "m": "rn", "l": "1", "i": "l", "o": "0", "O": "0", "e": "c", "c": "e", "h": "b", "b": "h", "s": "5", "S": "5",
    "t": "f", "f": "t", "a": "o", "u": "ii", "n": "ri", "w": "vv", "d": "cl", "g": "9", "B": "8", "T": "7", "I": "|",
    "y": "v",
}  # fmt: skip


def ocr_noise(rng: random.Random, text: str, level: float) -> str:
    """Confuse, drop and add letters; break words, as scanned pages do."""
    out = []
    for letter in text:
        draw = rng.random() / (0.35 * level)
        if draw < 0.6:
            out.append(CONFUSED.get(letter, letter))
        elif draw < 0.7:
            out.append(letter + rng.choice("  -.,'~^|"))
        elif draw < 0.85 and letter == " ":
            continue
        elif draw < 0.9:
            out.append(rng.choice(".,:;'`*•¬"))
        elif draw >= 1:
            out.append(letter)
    return "".join(out)


def number_table(rng: random.Random, text: str, level: float) -> str:
    """Replace a share of the lines by rows of numbers."""
    columns, separator = rng.randint(3, 9), rng.choice(("  ", "\t", ",", " | ", ";"))
    scale, digits = 10 ** rng.randint(1, 6), rng.randint(0, 4)

    def row(_: str) -> str:
        return "\n" + separator.join(f"{rng.uniform(-1, 1) * scale:.{digits}f}" for _ in range(columns)) + "\n"

    return spans(rng, text, level, row, size=60)


def repeated_lines(rng: random.Random, text: str, level: float) -> str:
    """Replace a share of the text by one line, or one word, again and again."""
    size = rng.choice((8, 20, 60, 120))
    start = rng.randrange(max(1, len(text) // 3))
    line = text[start : start + size].strip().replace("\n", " ") + rng.choice(("\n", " "))
    keep = int(len(text) * (1 - level))
    at = rng.choice((keep, rng.randint(0, keep)))
    return text[:at] + line * ((len(text) - keep) // len(line) + 1) + text[at:keep]


def shuffled_words(rng: random.Random, text: str, level: float) -> str:
    """Permute a share of the words among themselves."""
    words = text.split(" ")
    places = [i for i in range(len(words)) if rng.random() < level]
    values = [words[i] for i in places]
    rng.shuffle(values)
    for place, value in zip(places, values, strict=True):
        words[place] = value
    return " ".join(words)


def capitals(rng: random.Random, text: str, level: float) -> str:
    """Write spans in capitals, or letters in random case."""
    if rng.random() < 0.6:
        return spans(rng, text, level, str.upper)
    return spans(rng, text, level, lambda s: "".join(rng.choice((c.upper(), c.lower())) for c in s))


def random_characters(rng: random.Random, text: str, level: float) -> str:
    """Replace a share of the characters by random printable ones."""
    return "".join(chr(rng.randint(33, 126)) if rng.random() < level else c for c in text)


def keys(rng: random.Random, text: str, level: float) -> str:
    """Replace spans by hexadecimal digests or base64 keys."""
    style = rng.random()

    def key(span: str) -> str:
        data = rng.randbytes(len(span) // 2 + 1)
        return (data.hex() if style < 0.5 else base64.b64encode(data).decode()) + rng.choice(" \n")

    return spans(rng, text, level, key, size=rng.choice((32, 64)))


def markup(rng: random.Random, text: str, level: float) -> str:
    """Wrap words in tags and attributes until little text is left."""
    tags = ("div", "span", "td", "tr", "a", "li", "b", "img", "p")
    out = []
    for word in text.split(" "):
        if rng.random() < level:
            tag = rng.choice(tags)
            attribute = rng.choice(
                (
                    "",
                    f' class="c{rng.randint(0, 99)}"',
                    f' id="{rng.choice(tags)}-{rng.randint(0, 999)}"',
                    ' style="width:100%"',
                )
            )
            word = f"<{tag}{attribute}>" + (f"{word}</{tag}>" if rng.random() < 0.5 else "")
        out.append(word)
    return " ".join(out)


def cipher(rng: random.Random, text: str, level: float) -> str:
    """Rotate the letters of spans (ROT-k)."""
    shift = rng.randint(3, 23)

    def turn(c: str) -> str:
        base = 97 if c.islower() else 65
        return chr((ord(c) - base + shift) % 26 + base) if c.isascii() and c.isalpha() else c

    return spans(rng, text, level, lambda s: "".join(map(turn, s)))


def truncated_words(rng: random.Random, text: str, level: float) -> str:
    """Cut a share of the words short."""
    return " ".join(w[: max(1, len(w) // 2)] if rng.random() < level else w for w in text.split(" "))


def no_vowels(rng: random.Random, text: str, level: float) -> str:
    """Drop the vowels of a share of the words."""
    return " ".join(re.sub("[aeiouAEIOU]", "", w) if rng.random() < level else w for w in text.split(" "))


def reversed_words(rng: random.Random, text: str, level: float) -> str:
    """Spell a share of the words backwards."""
    return " ".join(w[::-1] if rng.random() < level else w for w in text.split(" "))


def no_spaces(rng: random.Random, text: str, level: float) -> str:
    """Drop a share of the spaces."""
    return "".join("" if c == " " and rng.random() < level else c for c in text)


LISTED: dict[str, Corruption] = {
    "shuffled_bytes": shuffled_bytes,
    "wrong_encoding": wrong_encoding,
    "ocr_noise": ocr_noise,
    "number_table": number_table,
    "repeated_lines": repeated_lines,
}
EXTRA: dict[str, Corruption] = {
    "shuffled_words": shuffled_words,
    "capitals": capitals,
    "random_characters": random_characters,
    "keys": keys,
    "markup": markup,
}
UNSEEN: dict[str, Corruption] = {
    "cipher": cipher,
    "truncated_words": truncated_words,
    "no_vowels": no_vowels,
    "reversed_words": reversed_words,
    "no_spaces": no_spaces,
}
ALL = LISTED | EXTRA | UNSEEN
# How often each is mixed in; the harder to see, the more often.
SHARES = dict.fromkeys(LISTED, 2.0) | dict.fromkeys(EXTRA, 0.6) | {"repeated_lines": 6.0, "ocr_noise": 3.0}

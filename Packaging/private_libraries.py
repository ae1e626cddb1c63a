#!/usr/bin/env python3
"""Makes private copies of shared libraries: `private_libraries.py OUT PREFIX LIBRARY... [--for LIBRARY...]`.

Whatever a process loads, the copies of LIBRARY... are used by nobody else, and use nothing of anybody else's copy of the same
library: each symbol that one of them defines gets another name in all of them, and so do the files (libonnx.so.1 becomes
rlyonnx.so.1 with the prefix `rly`). Names keep their length, so nothing moves: only strings, the order of symbols in their
table, the hash table over it and the relocations' indices into it are written again.

Nor are their static objects destroyed when the process exits, while another thread may still be reading a file.

Libraries given after `--for` are changed in place: they define nothing private, and use the copies.

This is for 64-bit little-endian ELF files with a GNU hash table, which is what Debian's compiler makes.
"""

from __future__ import annotations

import argparse
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

SYMBOL = struct.Struct("<IBBHQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
RELOCATION = struct.Struct("<QQq")
DYNAMIC = struct.Struct("<qQ")
SHT_RELA, SHT_DYNAMIC, SHT_DYNSYM = 4, 6, 11
SHT_GNU_HASH, SHT_GNU_VERSYM, SHT_GNU_VERNEED = 0x6FFFFFF6, 0x6FFFFFFF, 0x6FFFFFFE
DT_NEEDED, DT_SONAME = 1, 14

#: What registers the destructor of a static object, and what is called in its place: of the same length and the same version of
#: glibc, without arguments or effect; nobody reads the result.
REGISTERS_DESTRUCTOR, DOES_NOTHING = b"__cxa_atexit", b"pthread_self"


def gnu_hash(name: bytes) -> int:
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


@dataclass
class Library:
    """One file, its dynamic symbols and what refers to them."""

    path: Path
    data: bytearray
    sections: dict[int, list[tuple[int, ...]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Library:
        data = bytearray(path.resolve().read_bytes())
        if data[:6] != b"\x7fELF\x02\x01":
            sys.exit(f"{path}: expected a 64-bit little-endian ELF file")
        library = cls(path, data)
        (table,) = struct.unpack_from("<Q", data, 0x28)
        size, count = struct.unpack_from("<HH", data, 0x3A)
        for index in range(count):
            section = SECTION.unpack_from(data, table + index * size)
            library.sections.setdefault(section[1], []).append(section)
        if len(library.sections.get(SHT_GNU_HASH, [])) != 1 or 5 in library.sections:
            sys.exit(f"{path}: expected a GNU hash table and no other")
        return library

    def place(self, kind: int) -> tuple[int, int]:
        """Offset and size of the one section of this kind."""
        (section,) = self.sections[kind]
        return section[4], section[5]

    @property
    def strings(self) -> int:
        """Offset of the dynamic string table, which the symbols' section links to."""
        (table,) = struct.unpack_from("<Q", self.data, 0x28)
        (size,) = struct.unpack_from("<H", self.data, 0x3A)
        (symbols,) = self.sections[SHT_DYNSYM]
        return int(SECTION.unpack_from(self.data, table + symbols[6] * size)[4])

    def string(self, offset: int) -> bytes:
        start = self.strings + offset
        return bytes(self.data[start : self.data.index(0, start)])

    def symbols(self) -> list[tuple[int, ...]]:
        offset, size = self.place(SHT_DYNSYM)
        return [SYMBOL.unpack_from(self.data, offset + i) for i in range(0, size, SYMBOL.size)]

    def defined(self) -> set[bytes]:
        """Names that others can find here."""
        return {self.string(s[0]) for s in self.symbols() if s[0] and s[3] and s[1] >> 4}

    def file_names(self) -> dict[int, bytes]:
        """The strings that name files, by offset: the own name and what is needed."""
        offset, size = self.place(SHT_DYNAMIC)
        entries = [DYNAMIC.unpack_from(self.data, offset + i) for i in range(0, size, DYNAMIC.size)]
        return {value: self.string(value) for tag, value in entries if tag in (DT_NEEDED, DT_SONAME)}

    def version_strings(self) -> list[int]:
        """Offsets of strings in the table of needed versions, which stay."""
        if SHT_GNU_VERNEED not in self.sections:
            return []
        offset, _ = self.place(SHT_GNU_VERNEED)
        found = []
        while True:
            _, count, name, first, following = struct.unpack_from("<HHIII", self.data, offset)
            found.append(name)
            entry = offset + first
            for _ in range(count):
                _, _, _, version, step = struct.unpack_from("<IHHII", self.data, entry)
                found.append(version)
                entry += step
            if not following:
                return found
            offset += following

    def rename(self, symbols: dict[bytes, bytes], files: dict[bytes, bytes]) -> None:
        """Writes the new names over the old ones of the same length."""
        changes: dict[int, bytes] = {}
        kept: set[int] = set(self.version_strings())
        for symbol in self.symbols():
            name = self.string(symbol[0])
            if name in symbols:
                changes[symbol[0]] = symbols[name]
            else:
                kept.add(symbol[0])
        for offset, name in self.file_names().items():
            if name in files:
                changes[offset] = files[name]
            else:
                kept.add(offset)
        # The linker lets a string lie within the end of another: what stays must not lie in what changes.
        before = {offset: self.string(offset) for offset in kept}
        after = dict(changes)
        for offset, name in changes.items():
            self.data[self.strings + offset : self.strings + offset + len(name)] = name
        for offset, name in {**before, **after}.items():
            if self.string(offset) != name:
                sys.exit(f"{self.path}: the string {name!r} shares its place with one that changes")

    def sort_symbols(self) -> None:
        """Symbols in the order of the buckets of their new hashes, and all that follows from it."""
        offset, _ = self.place(SHT_GNU_HASH)
        buckets, first, words, shift = struct.unpack_from("<IIII", self.data, offset)
        symbols = self.symbols()
        hashes = {i: gnu_hash(self.string(symbols[i][0])) for i in range(first, len(symbols))}
        order = [*range(first), *sorted(hashes, key=lambda i: hashes[i] % buckets)]
        self._write_hash_table(offset + 16, buckets, first, words, shift, [hashes[i] for i in order[first:]])
        place, _ = self.place(SHT_DYNSYM)
        for new, old in enumerate(order):
            SYMBOL.pack_into(self.data, place + new * SYMBOL.size, *symbols[old])
        if SHT_GNU_VERSYM in self.sections:
            place, size = self.place(SHT_GNU_VERSYM)
            versions = struct.unpack_from(f"<{size // 2}H", self.data, place)
            struct.pack_into(f"<{size // 2}H", self.data, place, *(versions[old] for old in order))
        index = {old: new for new, old in enumerate(order)}
        for section in self.sections.get(SHT_RELA, []):
            for at in range(section[4], section[4] + section[5], RELOCATION.size):
                where, info, addend = RELOCATION.unpack_from(self.data, at)
                info = index[info >> 32] << 32 | info & 0xFFFFFFFF
                RELOCATION.pack_into(self.data, at, where, info, addend)

    def _write_hash_table(self, at: int, buckets: int, first: int, words: int, shift: int, hashes: list[int]) -> None:
        bloom = [0] * words
        starts = [0] * buckets
        chain = []
        for place, value in enumerate(hashes):
            bloom[value // 64 % words] |= 1 << value % 64 | 1 << (value >> shift) % 64
            bucket = value % buckets
            if not starts[bucket]:
                starts[bucket] = first + place
            is_last = place + 1 == len(hashes) or hashes[place + 1] % buckets != bucket
            chain.append(value & ~1 | is_last)
        struct.pack_into(f"<{words}Q{buckets}I{len(chain)}I", self.data, at, *bloom, *starts, *chain)


def replace(path: Path, data: bytes) -> None:
    """Put a new file in the old one's place: processes that have it mapped go on with theirs."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(0o755)
    new.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the copies")
    parser.add_argument("prefix", help="the first letters of their names, in place of `lib`")
    parser.add_argument("libraries", type=Path, nargs="+")
    parser.add_argument("--for", dest="users", type=Path, nargs="+", default=[], help="libraries that use the copies")
    options = parser.parse_args()
    if len(options.prefix) != 3:
        parser.error("the prefix takes the place of `lib`, three letters")

    copies = [Library.read(path) for path in options.libraries]
    users = [Library.read(path) for path in options.users]
    private = set().union(*(library.defined() for library in copies))
    # The first letter of a mangled name is `_`; what begins with `R` was no C++ name before.
    symbols = {name: b"R" + name[1:] for name in private}
    taken = {library.string(s[0]) for library in copies + users for s in library.symbols()}
    if clash := taken & set(symbols.values()):
        sys.exit(f"names that are taken: {sorted(clash)[:3]}")
    symbols[REGISTERS_DESTRUCTOR] = DOES_NOTHING
    files = {path.name.encode(): f"{options.prefix}{path.name[3:]}".encode() for path in options.libraries}
    for library in copies + users:
        library.rename(symbols, files)
        library.sort_symbols()
    options.out.mkdir(parents=True, exist_ok=True)
    for library in copies:
        target = options.out / files[library.path.name.encode()].decode()
        replace(target, library.data)
    for library in users:
        replace(library.path, library.data)
    print(f"    {len(private)} symbols of {len(copies)} libraries are private now")


if __name__ == "__main__":
    main()

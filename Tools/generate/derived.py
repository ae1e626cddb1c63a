"""The derived files, and which of them are not what the header says."""

from __future__ import annotations

from pathlib import Path

from . import c, header, python, rust, swift

ROOT = Path(__file__).resolve().parents[2]


def derived(text: str) -> dict[str, str]:
    """The text of every derived file, by its path beneath the root, from the text of the header."""
    declared = header.parse(text)
    files: dict[str, str] = {}
    for language in (swift, rust, python, c):
        files |= language.files(declared)
    return files


def outdated(root: Path = ROOT) -> dict[Path, str]:
    """What the files that differ should be."""
    wanted = derived((root / "include" / "rally.h").read_text(encoding="utf-8"))
    return {
        root / path: text
        for path, text in wanted.items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    }

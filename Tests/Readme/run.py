"""Runs the examples of README.md as printed.

A code block whose first line is a comment with a file name is that file: one of the repository's, of which the block
must be a part, or a new one, which is written. `sh` blocks run from a folder that looks like the repository's root,
except those that call `make`.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?://|#|/\*)\s*([\w./-]+\.\w+)\s*(?:\*/)?$")


def is_part(block: str, path: Path) -> bool:
    """Whether all lines of the block stand in the file, in this order, indentation aside."""
    lines = iter(line.strip() for line in path.read_text().splitlines())
    return all(line.strip() in lines for line in block.splitlines()[1:] if line.strip() not in ("", "…"))


def run(command: str, folder: Path) -> str | None:
    """Run a shell block; what went wrong, or None."""
    start = time.monotonic()
    shell = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, errors="replace")
    outcome = "ok" if done.returncode == 0 else "FAILED"
    print(f"  {command.splitlines()[0][:90]}: {outcome}, {time.monotonic() - start:.1f} s", flush=True)
    return None if done.returncode == 0 else f"{command}\n{done.stdout}\n{done.stderr}"


def main() -> int:
    failures: list[str] = []
    count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for entry in ROOT.iterdir():
            if entry.name != ".git":
                os.symlink(entry, folder / entry.name)
        for language, text in BLOCK.findall((ROOT / "README.md").read_text()):
            named = NAME.match(text.splitlines()[0])
            if language == "sh" and "make " not in text:
                failure = run(text, folder)
            elif named and (ROOT / named[1]).exists():
                failure = None if is_part(text, ROOT / named[1]) else f"not a part of {named[1]}:\n{text}"
            elif named:
                (folder / named[1]).write_text(text)
                continue
            else:
                continue
            count += 1
            if failure:
                failures.append(failure)
    print(*failures, sep="\n\n", file=sys.stderr)
    print(f"readme: {count} blocks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

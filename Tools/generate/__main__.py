"""``python -m generate`` writes the derived files; with ``--check`` it names those that differ and writes nothing."""

from __future__ import annotations

import sys

from .derived import ROOT, outdated
from .header import HeaderError


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m generate [--check]", file=sys.stderr)
        return 2
    try:
        different = outdated()
    except HeaderError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in different.items():
        if arguments:
            print(f"{path.relative_to(ROOT)} is not what include/rally.h says: run `make generate`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int(bool(arguments and different))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command line of the corpus scorer."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs the scorer; returns the exit status: 0 done, 1 failed or incomplete, 2 wrong arguments, 130 interrupted."""
    try:
        from .command import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("pyarrow", "fsspec"):
            raise
        print(
            f"error: rally.score needs the module {error.name!r}, which is not installed; "
            'install rally with its extra score: pip install "rally-runtime[score]"',
            file=sys.stderr,
        )
        return 1
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""The command line of the corpus scorer."""

from __future__ import annotations

from rally._program import run

from .._extras import program


def main(arguments: list[str] | None = None) -> int:
    """Runs the scorer; returns the exit status: 0 done, 1 failed or incomplete, 2 flags it cannot read, 130 interrupted."""
    with program("rally.score", "score"):
        from .command import run
    return run(arguments)


if __name__ == "__main__":
    run(main)

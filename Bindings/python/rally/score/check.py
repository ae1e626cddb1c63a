"""What is known of the inputs before anything is rated."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..errors import RallyError, Status
from .arrow_files import BROKEN, row_count, schema_problem
from .inputs import InputFile
from .rows import Columns


@dataclass(frozen=True, slots=True)
class TableProblem:
    """Why no row of a file can be rated, and how many there are."""

    path: str
    reason: str
    rows: int | None


def check_tables(files: Sequence[InputFile], columns: Columns, is_tokens: bool) -> list[TableProblem]:
    """Opens every file that has a schema; several at once, since they may be far away.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: none of the inputs has the column that is to be rated.
    """
    tables = [file for file in files if file.kind in ("parquet", "arrow")]
    if not tables:
        return []

    def problem(file: InputFile) -> TableProblem | None:
        try:
            schema, rows = row_count(file)
        except BROKEN:
            return None  # reading it says what is wrong
        reason = None if rows == 0 else schema_problem(schema, columns, is_tokens, file.path)
        return None if reason is None else TableProblem(file.path, reason, rows)

    with ThreadPoolExecutor(min(8, len(tables))) as pool:
        found = [one for one in pool.map(problem, tables) if one is not None]
    if found and len(found) == len(files):
        option = "--tokens names another" if is_tokens else "--text names another"
        if any(found[0].reason.startswith(f"no column {name!r};") for name in columns.extra):
            option = "the rater's template needs it; --template gives another"
        message = f"{found[0].path}: {found[0].reason}; {option}"
        raise RallyError(Status.INVALID_ARGUMENT, message)
    return found

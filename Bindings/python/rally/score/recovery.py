"""Takes out of a journal what was rated, however its run ended."""

from __future__ import annotations

from pathlib import Path

from . import state as states
from .files import replacing
from .inputs import PassedOver
from .report import Report
from .results import About, read_rejected, rejected_lines, write_results
from .run import stored, stored_samples


def recover(folder: Path) -> Report:
    """Writes shards and a report of all that the journal holds; the run can still go on, and makes them again.

    Of a journal that is damaged, all records that are whole.

    Raises
    ------
    RallyError
        FILE_NOT_FOUND: there is no run. BUSY: it is at work.
    """
    state = states.load(folder)
    if state["complete"]:
        states.finished(folder)
        from .questions import again

        return again(folder)
    with states.opened(folder, 1) as journal:
        parts, rejected = stored(folder, state, journal.paths, passes_damage=True)
        columns, form = states.columns_of(state), state["options"]["format"]
        passed_over: list[PassedOver] = states.passed_over_of(state)
        path = folder / "rejected.jsonl"
        size = (state.get("base") or {}).get("rejected", 0)
        before = path.read_bytes()[:size] if size else b""
        with replacing(path) as out:
            out.write(before)
            out.writelines(rejected_lines([] if before else passed_over, rejected()))
        told = state["mode"], state["discard"], state["date"], passed_over
        about = About(columns, *told, is_partial=True, cascade=state.get("cascade"))
        samples = stored_samples(folder, state, journal.paths, passes_damage=True)
        found = write_results(folder, about, parts, form, lambda: read_rejected(path), samples)
        own = [f"scores-{path.stem}.{form}" for path in journal.paths]
        states.save(folder, state | {"recovered": True, "shards": [name for name in own if (folder / name).exists()]})
    return found

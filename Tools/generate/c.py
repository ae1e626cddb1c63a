"""What the C tests go through: every struct, every field, every init function."""

from __future__ import annotations

from .header import Header
from .text import NOTICE


def files(header: Header) -> dict[str, str]:
    places, inits = [], []
    for struct in header.structs:
        places.append(f"STRUCT({struct.name})")
        places += [f"FIELD({struct.name}, {field.name})" for field in struct.fields]
        if header.is_opened_by_callers(struct):
            inits.append(f"INIT({struct.name}, {struct.name}_init)")
    notice = f"/* {NOTICE} */"
    return {
        "Tests/ABI/generated/places.inc": "\n".join([notice, *places]) + "\n",
        "Tests/ABI/generated/inits.inc": "\n".join([notice, *inits]) + "\n",
    }

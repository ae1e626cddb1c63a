"""Whether a newer interface keeps what an older one promised: `compare.py OLD.abi NEW.abi`.

libabigail says what differs; this reads its report by the header's rules: functions, fields at the end of structs that carry their
size, and numbers of enums may be added. Anything else fails.
"""

from __future__ import annotations

import re
import subprocess
import sys

SAID = re.compile(
    r"Leaf changes summary|Changed leaf types summary|Removed/Changed/Added (functions|variables) summary: 0 Removed, 0 Changed"
    r"|'(struct|enum) rally_\w+' changed:|type size hasn't changed|\d+ (data member|enumerator) insertions?:"
    r"|'rally_\w+::RALLY_\w+' value '-?\d+'"
)
GROWN = re.compile(r"type size changed from (\d+) to (\d+) \(in bits\)")
INSERTED = re.compile(r"'[^']*', at offset (\d+) \(in bits\)")


def breaks(report: str) -> list[str]:
    """The lines of a report of leaf changes that no addition explains."""
    found, size = [], 0
    for line in map(str.strip, report.splitlines()):
        if not line or SAID.match(line):
            continue
        if grown := GROWN.fullmatch(line):
            size = int(grown[1])
            if int(grown[2]) > size:
                continue
        # Within the padding at the old end counts as after it.
        if (inserted := INSERTED.fullmatch(line)) and int(inserted[1]) > size - 64:
            continue
        found.append(line)
    return found


def main() -> None:
    command = ["abidiff", "--leaf-changes-only", "--no-added-syms", *sys.argv[1:3]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode & 3:  # a fault of the tool or of its arguments
        sys.exit(done.stderr or done.stdout)
    if broken := breaks(done.stdout):
        sys.exit("the interface breaks its promise:\n  " + "\n  ".join(broken))


if __name__ == "__main__":
    main()

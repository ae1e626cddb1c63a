#!/usr/bin/env python3
"""Manual pages of the command, made from its own help: `manual_pages.py COMMAND FOLDER`.

The command describes itself as JSON (`--experimental-dump-help` of Swift's argument parser); each subcommand gets a page.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def text(words: str) -> str:
    """For roff: backslashes and the signs that begin a request at the start of a line."""
    lines = words.replace("\\", "\\e").replace("-", "\\-").splitlines()
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in lines)


def option(argument: dict[str, Any]) -> str:
    names = [("--" if n["kind"] == "long" else "-") + n["name"] for n in argument.get("names") or []]
    value = f"\\fI{text(argument['valueName'])}\\fR" if argument.get("valueName") else ""
    if argument["kind"] == "positional":
        return value
    shown = ", ".join(f"\\fB{text(name)}\\fR" for name in sorted(names, key=len))
    return f"{shown} {value}" if argument["kind"] == "option" else shown


def synopsis(argument: dict[str, Any]) -> str:
    shown = option(argument).split(", ")[-1]
    shown += "..." if argument.get("isRepeating") else ""
    return f"[{shown}]" if argument.get("isOptional") else shown


def page(command: dict[str, Any], parents: list[str], version: str) -> str:
    name = " ".join([*parents, command["commandName"]])
    arguments = [a for a in command.get("arguments") or [] if a.get("shouldDisplay", True)]
    lines = [f'.TH "{name.replace(" ", "-").upper()}" 1 "" "Rally {version}" "Rally"', ".SH NAME"]
    lines += [f"{text(name.replace(' ', '-'))} \\- {text(command.get('abstract') or name)}", ".SH SYNOPSIS"]
    lines += [f"\\fB{text(name)}\\fR " + " ".join(synopsis(a) for a in arguments)]
    if command.get("discussion"):
        lines += [".SH DESCRIPTION", text(command["discussion"]).replace("\n\n", "\n.PP\n")]
    if arguments:
        lines.append(".SH OPTIONS")
        for argument in arguments:
            lines += [".TP", option(argument), text(argument.get("abstract") or "")]
            if argument.get("discussion"):
                lines.append(text(argument["discussion"]))
            if argument.get("defaultValue"):
                lines.append(f"Default: {text(argument['defaultValue'])}.")
    subcommands = [c for c in command.get("subcommands") or [] if c["commandName"] != "help"]
    if subcommands:
        lines.append(".SH COMMANDS")
        for sub in subcommands:
            lines += [".TP", f"\\fB{text(name)}\\-{text(sub['commandName'])}\\fR(1)", text(sub.get("abstract") or "")]
    if parents:
        lines += [".SH SEE ALSO", f"\\fB{text('-'.join(parents))}\\fR(1)"]
    return "\n".join(line for line in lines if line) + "\n"


def write(command: dict[str, Any], parents: list[str], version: str, folder: Path) -> None:
    names = [*parents, command["commandName"]]
    (folder / f"{'-'.join(names)}.1").write_text(page(command, parents, version), encoding="utf-8")
    for sub in command.get("subcommands") or []:
        if sub["commandName"] != "help":
            write(sub, names, version, folder)


def main() -> None:
    command, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    dumped = subprocess.run([command, "--experimental-dump-help"], capture_output=True, text=True, check=True)
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    write(json.loads(dumped.stdout)["command"], [], version, folder)


if __name__ == "__main__":
    main()

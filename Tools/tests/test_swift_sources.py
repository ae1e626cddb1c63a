"""Swift's types are found by the names of files, and what `import Rally` shows is chosen."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TYPE = re.compile(
    r"^((?:(?:public|package|internal|private|fileprivate|final|indirect|@\w+)\s+)*)(?:struct|class|enum|actor|protocol)\s+(\w+)"
)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")

# A type of so many lines has a file of its own; a smaller one would be a file that is opened for nothing.
OWN_FILE = 40

# Smaller ones whose file's name says nothing of theirs, each alongside the one type that needs it.
ALONGSIDE = {
    "AddedTokenFlags": "TokenizerPipeline",
    "Alignment": "Table",
    "ArgumentRange": "BenchArguments",
    "Bar": "ProgressLine",
    "BatchShare": "SelectionArguments",
    "BatchingName": "BenchTest",
    "BytePairRules": "TokenizerPipeline",
    "CText": "Texts",
    "ClusterClass": "UnicodeTable",
    "ComputeType": "ModelArguments",
    "ContentMembers": "DocumentParser",
    "DecodedBytes": "ModelFile",
    "EvenSubset": "UnitMatrix",
    "ExitGate": "ModelWeights",
    "ExposedRow": "ExposureMeter",
    "HostPointer": "Texts",
    "KeyUse": "CacheLayout+Place",
    "LayerGroup": "TensorName",
    "LayerRequirement": "TensorName",
    "LengthRange": "NumberList",
    "LineError": "DocumentParser",
    "LineKind": "DocumentReader",
    "MemoryNeeds": "InspectCommand",
    "PieceModelRules": "TokenizerPipeline",
    "PrependScheme": "PreTokenizerStep",
    "Projection": "ModelWeights",
    "Prompt": "GenerateCommand",
    "Seed": "SamplingArguments",
    "SizedStruct": "Boundary",
    "SplitBehavior": "PreTokenizerStep",
    "Spread": "BenchResult",
    "StreamState": "TextTokenizer",
    "TensorBytes": "ModelFile",
    "TextFrame": "DocumentPlan",
}


def types(path: Path) -> list[tuple[str, int]]:
    """A file's types that other files see, and their lines."""
    lines = path.read_text().splitlines()
    found = []
    for start, line in enumerate(lines):
        match = TYPE.match(line)
        if not match or "private" in match[1]:
            continue
        end = start
        if not line.endswith("}"):
            end = next(place for place in range(start, len(lines)) if lines[place].startswith("}"))
        found.append((match[2], end - start + 1))
    return found


def is_found(name: str, line_count: int, file: str) -> bool:
    """Whether who looks for a type opens this file."""
    if name == file.split("+")[0]:
        return True
    words = {word.rstrip("s") for word in WORD.findall(file)}
    shares = any(word.rstrip("s") in words for word in WORD.findall(name))
    return line_count < OWN_FILE and (shares or ALONGSIDE.get(name) == file)


def test_every_type_is_found_by_its_files_name() -> None:
    files = [path for path in ROOT.glob("Sources/**/*.swift") if "Generated" not in path.parts]
    assert len(files) > 250
    lost = [
        f"{path.relative_to(ROOT)}: {name}, {count} lines"
        for path in files
        for name, count in types(path)
        if not is_found(name, count, path.stem)
    ]
    assert lost == []
    kept = {(name, path.stem) for path in files for name, _ in types(path)}
    assert ALONGSIDE.items() <= kept, "an exception that nothing needs"


@pytest.mark.parametrize(
    ("name", "count", "file", "found"),
    [
        ("Engine", 200, "Engine", True),
        ("Engine", 200, "Engine+Step", True),
        ("Engine", 3, "Model", False),
        ("LineageEntry", 39, "LineageReport", True),
        ("LineageEntry", 40, "LineageReport", False),
        ("Spread", 3, "BenchResult", True),
        ("Spread", 3, "BenchPlan", False),
    ],
)
def test_the_rule(name: str, count: int, file: str, found: bool) -> None:
    assert is_found(name, count, file) is found


def test_a_host_sees_no_kernels() -> None:
    exports = re.findall(
        r"^@_exported public import (.+)$", (ROOT / "Sources/Rally/Rally.swift").read_text(), re.MULTILINE
    )
    assert {line for line in exports if " " not in line} == {"Curation", "Engine", "Lineage", "Models"}
    seen = {line.split(".")[1] for line in exports if " Kernels." in line}
    assert seen == {"SamplingParameters", "CacheType", "WorkerPool"}, "all that a host sees of the kernels"
    pool = (ROOT / "Sources/Kernels/WorkerPool.swift").read_text()
    assert "public func" not in pool, "a host makes a pool and hands it over; it does not run its loops"

#!/usr/bin/env python3
"""The licences of everything that is inside, and the bill of materials: `licences.py FOLDER VERSION RELEASE`.

Writes LICENSE (Rally's own), THIRD-PARTY (the others' texts) and rally.spdx.json (SPDX 2.3) into FOLDER. RELEASE is the folder of
the built files, whose checksums the bill has.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def debian_version(package: str) -> str:
    return output("dpkg-query", "-W", "-f", "${Version}", package)


def debian_text(package: str) -> str:
    text = Path(f"/usr/share/doc/{package}/copyright").read_text(encoding="utf-8", errors="replace")
    common = Path("/usr/share/common-licenses/Apache-2.0")
    # Debian names the long licences by the file that has them.
    if str(common) in text and common.exists():
        text += "\n\n" + common.read_text(encoding="utf-8")
    return text


@dataclass
class Part:
    """Something of others' that is inside one of our files."""

    name: str
    version: str
    licence: str
    where: str
    supplier: str
    text: str


def parts() -> list[Part]:
    swift = Path(shutil.which("swift") or "swift").resolve().parents[1] / "share/swift/LICENSE.txt"
    swift_version = re.search(r"Swift version ([\d.]+)", output("swift", "--version"))
    pins = json.loads((ROOT / "Package.resolved").read_text())["pins"]
    parser = next(pin for pin in pins if pin["identity"] == "swift-argument-parser")
    checkout = ROOT / ".build/checkouts/swift-argument-parser/LICENSE.txt"
    return [
        Part("Swift standard library", swift_version[1] if swift_version else "unknown", "Apache-2.0 WITH Swift-exception",
             "librally.so.0, librally.a and rally", "Organization: Apple Inc.", swift.read_text(encoding="utf-8")),
        Part("swift-argument-parser", parser["state"]["version"], "Apache-2.0 WITH Swift-exception", "rally",
             "Organization: Apple Inc.", checkout.read_text(encoding="utf-8")),
        Part("Highway", debian_version("libhwy-dev"), "Apache-2.0 OR BSD-3-Clause", "librally.so.0, librally.a and rally (headers only)",
             "Organization: Google LLC", debian_text("libhwy-dev")),
        Part("Boost.Math", debian_version("libboost1.74-dev"), "BSL-1.0", "librally.so.0, librally.a and rally (headers only)",
             "Organization: Boost", debian_text("libboost1.74-dev")),
        Part("ONNX", debian_version("libonnx1"), "Apache-2.0", "rlyonnx.so.1 and rlyonnx_proto.so.1",
             "Organization: ONNX", debian_text("libonnx1")),
        Part("Protocol Buffers", debian_version("libprotobuf32"), "BSD-3-Clause", "rlyprotobuf.so.32",
             "Organization: Google LLC", debian_text("libprotobuf32")),
    ]  # fmt: skip


def created() -> str:
    """The time of the sources, so that the same sources give the same bytes."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        try:
            seconds = output("git", "log", "-1", "--format=%ct")
        except (OSError, subprocess.CalledProcessError):
            seconds = "0"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bill(found: list[Part], version: str, release: Path) -> dict[str, object]:
    files = [
        release / "librally.so.0",
        release / "librally.a",
        release / "rally",
        *sorted(release.glob("librally-onnx.so.0")),
        *sorted(release.glob("rly*.so.*")),
    ]
    packages: list[dict[str, object]] = [
        {
            "SPDXID": "SPDXRef-rally", "name": "rally", "versionInfo": version, "supplier": "NOASSERTION",
            "downloadLocation": "NOASSERTION", "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0",
            "copyrightText": "NOASSERTION", "filesAnalyzed": False,
        }
    ]  # fmt: skip
    relations = [
        {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-rally"}
    ]
    for part in found:
        identifier = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", part.name)
        packages.append({
            "SPDXID": identifier, "name": part.name, "versionInfo": part.version, "supplier": part.supplier,
            "downloadLocation": "NOASSERTION", "licenseConcluded": part.licence, "licenseDeclared": part.licence,
            "copyrightText": "NOASSERTION", "filesAnalyzed": False, "comment": f"Inside {part.where}.",
        })  # fmt: skip
        relations.append(
            {"spdxElementId": "SPDXRef-rally", "relationshipType": "CONTAINS", "relatedSpdxElement": identifier}
        )
    checksums = []
    for path in files:
        identifier = "SPDXRef-File-" + re.sub(r"[^A-Za-z0-9.-]+", "-", path.name)
        data = path.read_bytes()
        checksums.append({
            "SPDXID": identifier, "fileName": f"./{path.name}", "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION",
            "checksums": [{"algorithm": a.upper(), "checksumValue": hashlib.new(a, data).hexdigest()} for a in ("sha1", "sha256")],
        })  # fmt: skip
        relations.append(
            {"spdxElementId": "SPDXRef-rally", "relationshipType": "CONTAINS", "relatedSpdxElement": identifier}
        )
    digest = hashlib.sha256("".join(c["checksums"][1]["checksumValue"] for c in checksums).encode()).hexdigest()[:32]  # type: ignore[index]
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"rally-{version}",
        "documentNamespace": f"urn:rally:{version}:{digest}", "creationInfo": {"created": created(), "creators": ["Tool: rally-licences"]},
        "packages": packages, "files": checksums, "relationships": relations,
    }  # fmt: skip


def main() -> None:
    folder, version, release = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    found = parts()
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    sections = [
        f"{part.name} {part.version} ({part.licence}), inside {part.where}\n{'=' * 100}\n\n{part.text.strip()}\n"
        for part in found
    ]
    (folder / "THIRD-PARTY").write_text("\n\n".join(sections), encoding="utf-8")
    (folder / "rally.spdx.json").write_text(
        json.dumps(bill(found, version, release), indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

"""Puts the library that `make build` made into the wheel, whose tag then names the platform; an editable installation needs neither."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent
# Where the built files may lie: `make build` leaves them in a checkout and, for a copy of this folder, alongside the package.
FOLDERS = [HERE.parents[1] / ".build" / "release", HERE / "rally" / "lib"]
# The wheel's platform, as `make wheel` found out; otherwise that of this machine.
PLATFORM = os.environ.get("RALLY_WHEEL_PLATFORM")


class BinaryDistribution(Distribution):
    """One that has files for one kind of machine."""

    def has_ext_modules(self) -> bool:
        return True


class BuildPy(build_py):
    """Copies the library, and what it opens, into the package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = next(
            (f for f in FOLDERS if (f / "librally.so.0").exists() and (f / "librally-onnx.so.0").exists()), None
        )
        if folder is None:
            raise SystemExit(
                f"{FOLDERS[0]}: expected the library, which the package carries, found none; run `make build` first"
            )
        files = [folder / "librally.so.0", folder / "librally-onnx.so.0", *sorted(folder.glob("rly*.so.*"))]
        target = Path(self.build_lib) / "rally" / "lib"
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, target / file.name)
            (target / file.name).chmod(0o755)
        licences = os.environ.get("RALLY_LICENCES")
        if licences:
            shutil.copytree(licences, target / "licences", dirs_exist_ok=True)


class BdistWheel(bdist_wheel):
    """The library is reached by ctypes: any Python of version 3 on this platform."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        platform: Any = PLATFORM or super().get_tag()[2]
        return "py3", "none", platform


setup(distclass=BinaryDistribution, cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel})

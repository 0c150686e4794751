"""What pyproject.toml cannot say of the wheel: it brings the records of `results`, beside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithRecords(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode and Path("results").is_dir():
            target = Path(self.build_lib, "gsrgnn_records")
            shutil.rmtree(target, ignore_errors=True)  # of an earlier build
            ignored = shutil.ignore_patterns(".*", "*.partial.json")
            shutil.copytree("results", target, ignore=ignored, ignore_dangling_symlinks=True)


setup(cmdclass={"build_py": WithRecords})

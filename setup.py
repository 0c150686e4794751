"""What pyproject.toml cannot say of the wheel: it brings the records of `results`, beside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithRecords(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode and Path("results").is_dir():
            shutil.copytree(
                "results",
                Path(self.build_lib, "gsrgnn_records"),
                ignore=shutil.ignore_patterns(".*", "*.partial.json"),
                dirs_exist_ok=True,
            )


setup(cmdclass={"build_py": WithRecords})

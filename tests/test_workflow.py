"""The cluster's workflow: dry runs of every profile, and the same points, commands and records as a sweep."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gsrgnn.lab.experiments import points

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("snakemake") is None, reason="snakemake is not installed: pip install gsrgnn[cluster]"
)


def snakemake(*options):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "workflow" / "Snakefile", "--nolock", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def commands(output):
    return [line.partition("gsrgnn run ")[2] for line in output.splitlines() if line.startswith("Shell command: (")]


def test_a_dry_run_here_has_a_command_for_every_point(tmp_path):
    output = snakemake(
        "-n", "-p", "--cores", "2", "--config", "profile=smoke", f"results={tmp_path}", "only=depth,speed"
    )
    wanted = points("smoke", ["depth", "speed"])
    found = commands(output)
    assert len(found) == len(wanted)
    assert sum(f"--results {tmp_path}" in command for command in found) == len(wanted)
    for point in wanted:
        (command,) = [
            c
            for c in found
            if c.startswith(f"{point.experiment} ")
            and point.name in output
            and all(f"{name}={value}" in c for name, value in point.parameters.items())
        ]
    assert output.count("NUMBA_NUM_THREADS=1 ") == len(points("smoke", ["depth"]))
    assert output.count("NUMBA_NUM_THREADS=2 ") == 1  # speed has the machine to itself


@pytest.mark.parametrize(
    ("scheduler", "plugins"),
    [
        ("slurm", ["snakemake_executor_plugin_slurm"]),
        ("kubernetes", ["snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs"]),
    ],
)
def test_a_dry_run_for_a_cluster_gives_each_point_a_gpu(scheduler, plugins):
    if missing := [plugin for plugin in plugins if importlib.util.find_spec(plugin) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    profile = ROOT / "workflow" / "profiles" / scheduler
    output = snakemake("-n", "-p", "--config", "profile=gpu", "checkout=/gsrgnn", "--workflow-profile", profile)
    jobs = [line for line in output.splitlines() if line.strip().startswith("resources:") and "gpu=1" in line]
    assert len(jobs) == len(commands(output)) == len(points("gpu"))
    assert all("mem_mb=32000" in job for job in jobs)

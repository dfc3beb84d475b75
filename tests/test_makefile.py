"""What `make` would run, asked of it without running anything."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.skipif(not shutil.which("make"), reason="needs make"),
    pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="libtpu is not for it"),
]


@pytest.mark.parametrize(
    ("venv", "folder"),
    [("/tmp/x/venv", "/tmp/x/venv"), ("other/venv", f"{ROOT}/other/venv"), (None, f"{ROOT}/.venv")],
)
def test_the_tests_find_the_tpu_compiler_wherever_the_environment_lies(venv, folder):
    settings = [f"VENV={venv}"] if venv else []
    told = subprocess.run(["make", "-n", *settings, "test-all"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1].startswith(f"PYTHONPATH={folder}/libtpu {venv or '.venv'}/bin/python -m pytest")

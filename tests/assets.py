"""Where the tests find real third-party data, which is not part of the repository."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("ITOOL_ASSETS", Path(__file__).resolve().parents[2] / "shared" / "assets"))


def asset(name: str) -> Path:
    """Path of a real file or folder; skips the calling test where it is absent."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"no {path}: set ITOOL_ASSETS to the folder with the real data to run this test")
    return path

"""Tests run on eight virtual CPU devices: this must come before anything imports JAX."""

import os
import sys
import threading

import pytest
from hypothesis import settings

if "jax" in sys.modules:
    raise RuntimeError("JAX was imported before tests/conftest.py could set the number of virtual devices")
os.environ["JAX_PLATFORMS"] = "cpu"
# Nearly all the time goes into compiling programs that run once, so they are compiled without optimisation.
FLAGS = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}"

# The same cases every time, and no failure because a shared machine was slow for a moment.
settings.register_profile("itool", deadline=None, derandomize=True, database=None)
settings.load_profile("itool")


@pytest.fixture(scope="session")
def storage():
    """A Google Cloud Storage on localhost that gcsfs and TensorStore talk to."""
    from fsspec.config import conf

    from tests.gcs_server import environment, served

    with served() as server, pytest.MonkeyPatch.context() as patched:
        for name, value in environment(server).items():
            patched.setenv(name, value)
        patched.setitem(conf, "gs", {**conf.get("gs", {}), "token": "anon"})
        yield server


@pytest.fixture
def bucket(storage):
    """An empty bucket of it, as a path."""
    from etils import epath

    name = f"bucket-{storage.number()}"
    storage.buckets[name] = {}
    return epath.Path(f"gs://{name}")


@pytest.fixture(params=["local", "bucket"])
def anywhere(request, tmp_path):
    """A folder on disk, and one in a bucket."""
    from etils import epath

    return epath.Path(tmp_path) if request.param == "local" else request.getfixturevalue("bucket") / "folder"


@pytest.fixture
def flushers():
    """Tells which threads flush what waits to go to a bucket."""
    from itool_jax.growing import FLUSHER

    return lambda: {thread for thread in threading.enumerate() if thread.name == FLUSHER}


@pytest.fixture
def small_model(monkeypatch):
    """The preset `nano` is the model of `tests.plan_cases`."""
    from itool_jax.models.presets import PRESETS
    from tests.plan_cases import CFG

    monkeypatch.setitem(PRESETS, "nano", CFG)

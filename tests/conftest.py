"""Tests run on eight virtual CPU devices: this must come before anything imports JAX."""

import os
import sys

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

"""Sampling from one policy: `Sampler` continues prompts, `TreeSampler` grows trees. docs/sampler.md is the manual."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from itool_jax.sampling.cohort import SamplerConfig, SamplerStats
    from itool_jax.sampling.prompts import Sampler
    from itool_jax.sampling.requests import Finished, Growth, Request, Sample
    from itool_jax.sampling.sampler import TreeSampler

_MODULES = {
    "Finished": "requests",
    "Growth": "requests",
    "Request": "requests",
    "Sample": "requests",
    "Sampler": "prompts",
    "SamplerConfig": "cohort",
    "SamplerStats": "cohort",
    "TreeSampler": "sampler",
}
__all__ = [
    "Finished", "Growth", "Request", "Sample", "Sampler", "SamplerConfig", "SamplerStats", "TreeSampler",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # as models import modules below this one, and are imported by them
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

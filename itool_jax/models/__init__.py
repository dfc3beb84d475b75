"""Decoders and their weights: `load` brings in what users have.

loaded = itool_jax.models.load("Qwen/Qwen2.5-0.5B-Instruct")
loaded.generate(["The capital of France is"], max_tokens=8)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from itool_jax.models.loading import Loaded, load

__all__ = ["Loaded", "load"]


def __getattr__(name: str) -> Any:  # as modules below this one are imported from everywhere, and load imports much
    if name in __all__:
        from itool_jax.models import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

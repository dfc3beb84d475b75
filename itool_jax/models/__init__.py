"""Decoders and their weights: `load` brings in what users have, `export_hf` writes what others load.

loaded = itool_jax.models.load("Qwen/Qwen2.5-0.5B-Instruct")
loaded.generate(["The capital of France is"], max_tokens=8)
itool_jax.models.export_hf(loaded, "out", dtype="bfloat16")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from itool_jax.models.export import export_hf
    from itool_jax.models.loading import Loaded, load

__all__ = ["Loaded", "export_hf", "load"]
_MODULES = {"Loaded": "loading", "export_hf": "export", "load": "loading"}


def __getattr__(name: str) -> Any:  # as modules below this one are imported from everywhere, and load imports much
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

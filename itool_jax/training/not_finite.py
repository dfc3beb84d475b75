"""What is left to look at where a loss or a gradient was not finite: the batch of that step, as a file of arrays."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath

from itool_jax import files
from itool_jax.errors import UserError

WATCHED = ("loss", "grad_norm")


def require_finite(step: int, metrics: Mapping[str, float], batch: Any, directory: epath.PathLike) -> None:
    """Raises UserError where the loss or the gradient of a step is not finite, and saves its batch in `directory`.

    The file is NumPy's npz, by name of the batch's arrays as the host has them [A, B, ...], with step, loss and
    grad_norm beside them. Of several processes each saves the rows that it read.
    """
    if all(math.isfinite(metrics[name]) for name in WATCHED):
        return
    path = save_batch(directory, step, {name: metrics[name] for name in WATCHED}, batch)
    raise UserError(
        f"the loss at step {step} is {metrics['loss']} (gradient norm {metrics['grad_norm']}): training stopped, and "
        f'this step is not saved. Its batch is in {path}: `python -c "import numpy; from etils import epath; '
        f"b = numpy.load(epath.Path('{path}').open('rb')); "
        '[print(name, b[name].shape, b[name].min(), b[name].max()) for name in b]"` tells what it holds. Where that '
        "looks right, start in another --workdir with a lower learning rate or clip norm."
    )


def save_batch(directory: epath.PathLike, step: int, metrics: Mapping[str, float], batch: Any) -> epath.Path:
    """Writes the batch of a step and the step's figures; returns where."""
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    fields: dict[str, Any] = {jax.tree_util.keystr(at, simple=True, separator="."): np.asarray(x) for at, x in leaves}
    fields |= {**metrics, "step": step}
    content = io.BytesIO()
    np.savez_compressed(content, **fields)
    process = f"_process_{jax.process_index()}" if jax.process_count() > 1 else ""
    path = epath.Path(directory) / f"not_finite_step_{step}{process}.npz"
    files.make_folder(path.parent)
    files.write_atomic(path, content.getvalue())
    return path

"""`itool-jax plan`: what a config needs on accelerators that need not be there. Returns the exit status."""

from __future__ import annotations

import json as json_lines
from collections.abc import Sequence

import jax
from rich.console import Console

from itool_jax.config_loading import load_config
from itool_jax.errors import UserError


def plan(
    config: str,
    overrides: Sequence[str],
    devices: int | None,
    hbm: float | None,
    topology: str | None,
    prompt_tokens: int | None,
    stage: Sequence[str],
    json: bool,
) -> int:
    """Prints the plan; 1 if a program does not fit. Reads no data and no weights, and touches no accelerator."""
    if (devices is None) == (topology is None):
        raise UserError("plan for either --devices=N --hbm=GiB or --topology=v5e:4x4: give one of the two.")
    if devices is not None and hbm is None:
        raise UserError(f"--devices={devices} needs --hbm=GiB too, the memory of each.")
    settings = load_config(config, overrides)
    jax.config.update("jax_platforms", "cpu")
    from itool_jax.plan.abstract import require_own_weights
    from itool_jax.plan.advice import advise
    from itool_jax.plan.layout import require_layout
    from itool_jax.plan.plan import make_plan
    from itool_jax.plan.show import show, to_json
    from itool_jax.plan.target import devices_target, topology_devices, topology_target

    require_own_weights(settings.model)
    require_layout(settings, devices or len(topology_devices(str(topology))), stage)
    if topology is not None:
        target = topology_target(settings.mesh, topology, hbm)
    else:
        assert devices is not None and hbm is not None
        target = devices_target(settings.mesh, devices, hbm)
    made = make_plan(settings, target, prompt_tokens, stage)
    advice = None if made.fits else advise(settings, made, prompt_tokens)
    if json:
        print(json_lines.dumps(to_json(made, advice), indent=1))
    else:
        show(made, advice, Console())
    return 0 if made.fits else 1

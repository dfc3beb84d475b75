"""The report of a run: `collect` reads the run directory, the others show what it found."""

from itool_jax.evaluation.report.collect import collect
from itool_jax.evaluation.report.page import write_html
from itool_jax.evaluation.report.results import Change, RunResults, SetResult, StageCost, to_json
from itool_jax.evaluation.report.terminal import show

__all__ = ["Change", "RunResults", "SetResult", "StageCost", "collect", "show", "to_json", "write_html"]

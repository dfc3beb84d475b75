"""Scenes: what can happen in a conversation, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from itool_jax.data.toolworld.large.chains import chain_end, chain_start, nested, reference
from itool_jax.data.toolworld.large.first_requests import clarified, direct, missing, no_tool, small_talk
from itool_jax.data.toolworld.large.follow_ups import changed, failure, new_request, recall, report
from itool_jax.data.toolworld.large.stage import Draft, Stage

Scene = Callable[[Stage, int], Draft | None]

SINGLE_TURN: Mapping[Scene, float] = {direct: 10, chain_start: 0.8, clarified: 1.4}
FOLLOW_UP: Mapping[Scene, float] = {reference: 4, chain_end: 2, changed: 2.5, new_request: 2}
SINGLE_TURN_PROSE: Mapping[Scene, float] = {missing: 5, no_tool: 5, small_talk: 1}
FOLLOW_UP_PROSE: Mapping[Scene, float] = {report: 5, failure: 2, recall: 3}
NESTED: Scene = nested
TWO_TOOLS = frozenset((nested, chain_start, chain_end, reference))

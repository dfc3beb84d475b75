"""Cutting answers into fragments over token ids: the scanner finds the bytes, the cut falls on a token's end."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

import numpy as np

from itool_jax.toolcall import fragment_ends


def fragment_cuts(tokens: Sequence[int], token_bytes: Callable[[int], bytes], end_of_turn: int) -> list[int]:
    """Ends of an answer's fragments as token counts, ascending; the last is len(tokens).

    A cut falls at the first token end at or after a boundary byte. The end-of-turn token belongs to the last fragment.
    """
    body = tokens[:-1] if tokens and tokens[-1] == end_of_turn else tokens
    pieces = [token_bytes(token) for token in body]
    token_ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    cuts = {bisect.bisect_left(token_ends, boundary) + 1 for boundary in fragment_ends(b"".join(pieces))}
    inner = sorted(cut for cut in cuts if cut < len(body))
    return [*inner, len(tokens)]

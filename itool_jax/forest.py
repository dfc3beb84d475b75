"""The token tree: the one data structure of the program, and the packing of trees into device rows.

A tree's root is a prompt; below it hang segments of tokens. An SFT example is a chain, a preference pair is a fork, all
pairs of one search share one tree. Trees stand side by side in rows of S tokens, each laid out depth-first, so that one
mask serves everything: token i sees token j iff  j <= i < end[j].
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Tokens = Sequence[int]
Array = Any  # of NumPy on the host, of JAX on the device


@dataclass(frozen=True)
class TokenTree:
    """Segments of tokens in depth-first order (a parent before its children, every subtree contiguous).

    segments     tokens of each segment; none is empty
    parents      index of each segment's parent; -1 for segment 0, the root
    weights      what each token of a segment counts in a weighted loss (SFT: 1 on answers, 0 on prompts)
    completions  for each completion the segments that spell it, in order
    """

    segments: tuple[tuple[int, ...], ...]
    parents: tuple[int, ...]
    weights: tuple[float, ...]
    completions: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @property
    def counting(self) -> frozenset[int]:
        """The segments that weigh something or belong to a completion: all that losses and sums read."""
        spelled = (s for spelled in self.completions for s in spelled)
        return frozenset((*spelled, *(s for s, weight in enumerate(self.weights) if weight)))

    @property
    def counted(self) -> int:
        """How many tokens those have."""
        return sum(len(self.segments[s]) for s in self.counting)


def chain(prompt: Tokens, answer: Tokens) -> TokenTree:
    """A prompt and its one answer, as SFT and perplexity use them; the answer's tokens weigh 1."""
    if not len(prompt) or not len(answer):
        raise ValueError(f"a chain needs a prompt and an answer, found {len(prompt)} and {len(answer)} tokens")
    return TokenTree((tuple(prompt), tuple(answer)), (-1, 0), (0.0, 1.0), ((1,),))


def branch(paths: Sequence[tuple[Tokens, Tokens]]) -> TokenTree:
    """The smallest tree that spells every (prefix, completion): common beginnings are stored once.

    Completion c of the tree is paths[c][1], whatever it shares with others; all weights are 0.
    Raises ValueError where a part is empty or the paths do not start with the same token.
    """
    if not paths or any(not len(prefix) or not len(completion) for prefix, completion in paths):
        raise ValueError("every path of a tree needs a non-empty prefix and a non-empty completion")
    trie = _TokenTrie()
    spelled = []
    for prefix, completion in paths:
        start = trie.extend(0, prefix)
        stop = trie.extend(start[-1], completion)
        trie.cuts.update((start[-1], stop[-1]))
        spelled.append(stop)
    if len(trie.children[0]) != 1:
        raise ValueError(f"the paths of a tree must share their first token, found {sorted(trie.children[0])}")
    segments, parents, segment_of = trie.segments()
    completions = tuple(tuple(dict.fromkeys(segment_of[node] for node in path)) for path in spelled)
    return TokenTree(segments, parents, (0.0,) * len(segments), completions)


class _TokenTrie:
    """One node per token; node 0 is the empty beginning. `cuts` are nodes after which a segment must end."""

    def __init__(self) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.tokens: list[int] = [-1]
        self.cuts: set[int] = set()

    def extend(self, node: int, tokens: Tokens) -> list[int]:
        visited = []
        for token in map(int, tokens):
            child = self.children[node].get(token)
            if child is None:
                child = self.children[node][token] = len(self.tokens)
                self.children.append({})
                self.tokens.append(token)
            visited.append(node := child)
        return visited

    def segments(self) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...], dict[int, int]]:
        segments: list[tuple[int, ...]] = []
        parents: list[int] = []
        segment_of: dict[int, int] = {}
        pending = [(child, -1) for child in reversed(self.children[0].values())]
        while pending:
            node, parent = pending.pop()
            run = [node]
            while len(self.children[run[-1]]) == 1 and run[-1] not in self.cuts:
                run.extend(self.children[run[-1]].values())
            segment_of.update(dict.fromkeys(run, len(segments)))
            pending.extend((child, len(segments)) for child in reversed(self.children[run[-1]].values()))
            segments.append(tuple(self.tokens[node] for node in run))
            parents.append(parent)
        return tuple(segments), tuple(parents), segment_of


class PackedForest(NamedTuple):
    """Rows of trees as the device sees them, from SFT to search to preference training.

    tokens       int32 [B, S]
    positions    int32 [B, S]   along the path from the root: siblings carry the same positions
    predecessor  int32 [B, S]   where in the row the token before this one stands (a first token: its parent's last)
    node         int32 [B, S]   segment of the row; padding holds R
    end          int32 [B, S]   one past the last token of the subtree under this token's segment; padding holds i + 1
    weight       float32 [B, S] what the token counts in a weighted loss; 0 for padding and a root's first token
    select       float32 [B, C, R] 1 where completion c takes segment r
    counted      int32 [B, M]   where the tokens stand whose log-probs are read: they weigh something or are of a
                                completion; padding holds S
    """

    tokens: Array
    positions: Array
    predecessor: Array
    node: Array
    end: Array
    weight: Array
    select: Array
    counted: Array


class Capacity(NamedTuple):
    """Sizes of a row: S tokens, R segments and C completions at most, and M of its tokens that count; 0 is all S."""

    tokens: int
    segments: int
    completions: int
    counted: int = 0


def capacity_for(trees: Sequence[TokenTree], rows: Sequence[Sequence[int]], tokens: int) -> Capacity:
    """The smallest capacity that holds these rows; segments and completions are rounded up to powers of two, and
    tokens that count as `counted_capacity` has it."""

    def most(count) -> int:
        return max((sum(count(trees[t]) for t in row) for row in rows), default=1)

    def power(count) -> int:
        return 1 << max(0, most(count) - 1).bit_length()

    counted = counted_capacity(most(lambda t: t.counted), tokens)
    return Capacity(tokens, power(lambda t: len(t.segments)), power(lambda t: len(t.completions)), counted)


def counted_capacity(most: int, tokens: int) -> int:
    """Room for so many tokens that count in a row of `tokens`: in steps of 64, so that few programs are compiled."""
    return min(tokens, max(1, -(-most // 64)) * 64)


def bucket(length: int) -> int:
    """The smallest of 32, 48, 64, 96, 128, 192, ... that holds `length`: few shapes to compile, little padding."""
    power = max(32, 1 << (length - 1).bit_length())
    return power * 3 // 4 if length <= power * 3 // 4 and power > 32 else power


def pack(sizes: Sequence[int], tokens: int) -> list[tuple[int, ...]]:
    """Places trees of these sizes in rows of `tokens` by best fit, the longest first.

    Returns rows of tree indices. Raises ValueError for a tree longer than a row: callers sort those out and count them.
    """
    rows: list[list[int]] = []
    with_room: dict[int, list[int]] = {}  # rows by the room they have left
    rooms: list[int] = []  # the keys of `with_room`, ascending
    for tree in sorted(range(len(sizes)), key=lambda t: -sizes[t]):
        size = sizes[tree]
        if size > tokens:
            raise ValueError(f"a tree of {size} tokens does not fit a row of {tokens}")
        at = bisect.bisect_left(rooms, size)
        if at == len(rooms):
            rows.append([])
            row, room = len(rows) - 1, tokens
        else:
            room = rooms[at]
            row = with_room[room].pop()
            if not with_room[room]:
                del with_room[room], rooms[at]
        rows[row].append(tree)
        left = room - size
        if left not in with_room:
            with_room[left] = []
            bisect.insort(rooms, left)
        with_room[left].append(row)
    return [tuple(row) for row in rows]


def build_row(trees: Sequence[TokenTree], capacity: Capacity) -> PackedForest:
    """Lays trees side by side in one row; arrays without the leading B axis."""
    S, R, C, M = capacity
    M = M or S
    index = np.arange(S, dtype=np.int32)
    tokens, positions = np.zeros(S, np.int32), np.zeros(S, np.int32)
    predecessor, node, end = index.copy(), np.full(S, R, np.int32), index + 1
    weight, select = np.zeros(S, np.float32), np.zeros((C, R), np.float32)
    counts = np.zeros(S, bool)
    at = first_segment = first_completion = 0
    for tree in trees:
        starts = at + np.cumsum([0, *map(len, tree.segments)])
        if starts[-1] > S or first_segment + len(tree.segments) > R or first_completion + len(tree.completions) > C:
            raise ValueError(f"trees do not fit a row of {S} tokens, {R} segments and {C} completions")
        subtree_end = _subtree_ends(tree.parents, starts)
        for s, segment in enumerate(tree.segments):
            here, parent = slice(starts[s], starts[s + 1]), tree.parents[s]
            tokens[here] = segment
            depth = 0 if parent < 0 else positions[starts[parent + 1] - 1] + 1
            positions[here] = depth + np.arange(len(segment))
            predecessor[here] = index[here] - 1
            predecessor[starts[s]] = starts[s] if parent < 0 else starts[parent + 1] - 1
            node[here], end[here], weight[here] = first_segment + s, subtree_end[s], tree.weights[s]
        for s in tree.counting:
            counts[starts[s] : starts[s + 1]] = True
        weight[at] = 0.0
        for c, spelled in enumerate(tree.completions):
            select[first_completion + c, [first_segment + s for s in spelled]] = 1.0
        at, first_segment = int(starts[-1]), first_segment + len(tree.segments)
        first_completion += len(tree.completions)
    places = np.flatnonzero(counts)
    if len(places) > M:
        raise ValueError(f"{len(places)} tokens of a row count, but it has room for {M} of them")
    counted = np.append(places, np.full(M - len(places), S)).astype(np.int32)
    return PackedForest(tokens, positions, predecessor, node, end, weight, select, counted)


def completion_places(node_S: Array, select_CR: Array, completion: int) -> Array:
    """Where in its row the tokens of a completion stand, in their order; of one row's `node` and `select`."""
    return np.flatnonzero(np.append(select_CR[completion], 0.0)[node_S])


def _subtree_ends(parents: Sequence[int], starts: np.ndarray) -> np.ndarray:
    ends = starts[1:].copy()
    for s in range(len(parents) - 1, 0, -1):
        ends[parents[s]] = max(ends[parents[s]], ends[s])
    return ends


def build_batch(rows: Sequence[Sequence[TokenTree]], capacity: Capacity, size: int | None = None) -> PackedForest:
    """Stacks rows of trees, padded with empty rows up to `size`."""
    built = [build_row(row, capacity) for row in rows]
    built.extend(build_row((), capacity) for _ in range((size or len(built)) - len(built)))
    return PackedForest(*(np.stack(arrays) for arrays in zip(*built, strict=True)))


def batches(
    trees: Sequence[TokenTree], tokens: int, rows_per_batch: int
) -> Iterator[tuple[PackedForest, list[tuple[int, int, int]]]]:
    """Packs all trees and yields batches of one shape, each with its (tree, row, first completion) placements."""
    rows = pack([len(tree) for tree in trees], tokens)
    capacity = capacity_for(trees, rows, tokens)
    for start in range(0, len(rows), rows_per_batch):
        chosen = rows[start : start + rows_per_batch]
        placements = []
        for b, row in enumerate(chosen):
            firsts = np.cumsum([0, *(len(trees[t].completions) for t in row)])
            placements.extend((t, b, int(first)) for t, first in zip(row, firsts, strict=False))
        yield build_batch([[trees[t] for t in row] for row in chosen], capacity, rows_per_batch), placements

"""A search tree as SVG, read from left to right as the answer is; runs of fragments without a fork share a box."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from itool_jax.evaluation.report.markup import Markup, element
from itool_jax.evaluation.report.tree import DrawnNode, DrawnTree
from itool_jax.evaluation.report.wording import clean

_COLUMNS, _LINES = 30, 3  # of a box's text
_CHARACTER, _LINE, _FOOT = 7.3, 16, 22
_GAP_X, _GAP_Y, _MARGIN = 46, 14, 18


@dataclass(frozen=True)
class _Box:
    """Nodes drawn as one; `role` is "root", "chosen", "rejected" or "plain"."""

    nodes: tuple[DrawnNode, ...]
    lines: tuple[tuple[tuple[str, int], ...], ...]
    role: str
    column: int
    children: tuple[_Box, ...]

    @property
    def last(self) -> DrawnNode:
        return self.nodes[-1]

    @property
    def foot(self) -> str:
        parts = [f"N {self.last.visits}", f"Q {self.last.value:.2f}"]
        if self.last.reward is not None:
            parts.append(f"R {self.last.reward:.2f}")
        return "  ".join(parts) + ("  cut off" if self.last.end == "budget" else "")

    @property
    def width(self) -> float:
        texts = ["".join(text for text, _ in line) for line in self.lines]
        tick = 3 if self.last.right and self.last.end else 0
        longest = max([_columns(self.foot) * 0.92 + tick, *map(_columns, texts)])
        return max(86.0, longest * _CHARACTER + 24)

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _FOOT + 16


def draw_tree(tree: DrawnTree) -> Markup:
    """The whole tree at its natural size, for a container that scrolls."""
    root = _boxes(tree)
    boxes = _in_order(root)
    depth = 1 + max(box.column for box in boxes)
    widths = [max(box.width for box in boxes if box.column == column) for column in range(depth)]
    lefts = [_MARGIN + sum(widths[:column]) + _GAP_X * column for column in range(depth)]
    centres, bottom = _centres(boxes)
    most = max(1.0, *(node.value for node in tree.nodes.values()), *(n.reward or 0 for n in tree.nodes.values()))
    parts = [
        _edge(
            lefts[box.column] + box.width,
            centres[id(box)],
            lefts[child.column],
            centres[id(child)],
            child,
            root.last.visits,
        )
        for box in boxes
        for child in box.children
    ]
    parts += [_draw(box, lefts[box.column], centres[id(box)] - box.height / 2, most) for box in boxes]
    width, height = lefts[-1] + widths[-1] + _MARGIN, bottom + _MARGIN
    label = f"Search tree with {len(tree.nodes)} nodes and {len(tree.pairs)} preference pairs"
    size = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "width": round(width), "height": round(height)}
    return element("svg", *parts, role="img", aria_label=label, class_="tree", **size)


def legend() -> Markup:
    """What the shapes of the boxes mean."""
    kinds = (("chosen", "chosen"), ("rejected", "rejected"), ("plain", "in no pair"))
    keys = [
        element("span", element("svg", *_frame(role, 5, 4, 38, 20), viewBox="0 0 48 28", width=48, height=28), says)
        for role, says in kinds
    ]
    return element("div", *keys, class_="legend")


def _boxes(tree: DrawnTree) -> _Box:
    """Built from the leaves up, without recursion: how deep a tree goes is up to the file."""
    roles = {pair.rejected: "rejected" for pair in tree.pairs} | {pair.chosen: "chosen" for pair in tree.pairs}
    starts, waiting = [], [(tree.root, 0)]
    while waiting:
        node, column = waiting.pop()
        run = _run(tree, node, roles)
        starts.append((run, column))
        waiting.extend((child, column + 1) for child in reversed(tree.children[run[-1]]))
    built: dict[int, _Box] = {}
    for run, column in reversed(starts):
        nodes = tuple(tree.nodes[node] for node in run)
        role = "root" if run[0] == tree.root else roles.get(run[0], "plain")
        lines = _wrap(["prompt"] if role == "root" else [node.text for node in nodes])
        below = tuple(built[child] for child in tree.children[run[-1]])
        built[run[0]] = _Box(nodes, lines, role, column, below)
    return built[tree.root]


def _run(tree: DrawnTree, node: int, roles: dict) -> list[int]:
    """The node and those after it that say nothing new: an only child with the same statistics and in no pair."""
    run = [node]
    while node != tree.root and len(tree.children[node]) == 1 and tree.nodes[node].end is None:
        child = tree.nodes[tree.children[node][0]]
        same = child.visits == tree.nodes[node].visits and math.isclose(
            child.value, tree.nodes[node].value, abs_tol=1e-6
        )
        if not same or child.id in roles:
            break
        node = child.id
        run.append(node)
    return run


def _in_order(root: _Box) -> list[_Box]:
    """All boxes, each before its children, and top to bottom among siblings."""
    order, waiting = [], [root]
    while waiting:
        order.append(waiting.pop())
        waiting.extend(reversed(order[-1].children))
    return order


def _centres(boxes: Sequence[_Box]) -> tuple[dict[int, float], float]:
    """Vertical centres by box: leaves one below another, every other box in the middle of its children."""
    centres: dict[int, float] = {}
    bottom = float(_MARGIN)
    for box in boxes:
        if not box.children:
            centres[id(box)] = bottom + box.height / 2
            bottom += box.height + _GAP_Y
    for box in reversed(boxes):
        if box.children:
            centres[id(box)] = (centres[id(box.children[0])] + centres[id(box.children[-1])]) / 2
    return centres, max(bottom - _GAP_Y, max(centres[id(box)] + box.height / 2 for box in boxes))


def _draw(box: _Box, left: float, top: float, most: float) -> Markup:
    foot = top + box.height - 15
    texts = [
        element(
            "text",
            *(element("tspan", text.replace(" ", "\u00a0"), class_=f"f{index % 2}") for text, index in line),
            class_="fragment",
            x=left + 12,
            y=top + 19 + _LINE * number,
        )
        for number, line in enumerate(box.lines)
    ]
    meter = box.width - 24
    filled = meter * min(1.0, max(0.0, box.last.value) / most)
    tip = "".join(node.text for node in box.nodes) if box.role != "root" else "prompt"
    prior = f"\np {box.nodes[0].prior:.3g}" if box.nodes[0].prior is not None and box.role != "root" else ""
    tick = element("text", "✓", class_="right", x=left + box.width - 12, y=foot, text_anchor="end")
    return element(
        "g",
        element("title", f"{tip}\n{box.foot}{prior}"),
        *_frame(box.role, left, top, box.width, box.height),
        *texts,
        element("text", box.foot.replace("  ", "\u00a0\u00a0"), class_="foot", x=left + 12, y=foot),
        tick if box.last.right and box.last.end else None,
        element("rect", class_="track", x=left + 12, y=foot + 5, width=meter, height=3, rx=1.5),
        element("rect", class_="meter", x=left + 12, y=foot + 5, width=filled, height=3, rx=1.5) if filled else None,
        class_=f"box {box.role}",
    )


def _frame(role: str, left: float, top: float, width: float, height: float) -> list[Markup]:
    """A box's outline: chosen round with a tick, rejected dashed and square with a cross."""
    radius = {"chosen": min(14.0, height / 2), "rejected": 0.0, "root": 3.0}.get(role, 6.0)
    parts = [element("rect", class_=f"frame {role}", x=left, y=top, width=width, height=height, rx=radius)]
    if role == "chosen":
        parts.append(element("circle", class_="badge chosen", cx=left, cy=top + height / 2, r=8))
        parts.append(_stroke(f"M{left - 3.5:.1f} {top + height / 2:.1f}l2.6 3l4.6 -5.6"))
    if role == "rejected":
        parts.append(element("rect", class_="badge rejected", x=left - 7, y=top + height / 2 - 7, width=14, height=14))
        parts.append(_stroke(f"M{left - 3:.1f} {top + height / 2 - 3:.1f}l6 6m0 -6l-6 6"))
    return parts


def _stroke(path: str) -> Markup:
    return element("path", class_="sign", d=path)


def _edge(x1: float, y1: float, x2: float, y2: float, child: _Box, visits: int) -> Markup:
    middle = x2 - _GAP_X / 2
    start = f"M{x1:.1f} {y1:.1f}" + (f"H{x2 - _GAP_X:.1f}" if x2 - _GAP_X > x1 else "")
    path = f"{start}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    thickness = 1 + 4 * child.nodes[0].visits / max(1, visits)
    return element("path", class_=f"edge {child.role}", d=path, stroke_width=thickness)


def _wrap(fragments: Sequence[str]) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Fragments as lines of (text, index of its fragment), broken between fragments where that is possible."""
    lines: list[list[tuple[str, int]]] = [[]]
    room = _COLUMNS
    for index, fragment in enumerate(fragments):
        text = clean(fragment).replace("\n", "⏎").replace("\t", "⇥")
        if lines[-1] and _columns(text) > room:
            lines.append([])
            room = _COLUMNS
        while text and len(lines) <= _LINES:
            piece = _fitting(text, room)
            lines[-1].append((piece, index))
            text, room = text[len(piece) :], room - _columns(piece)
            if text:
                lines.append([])
                room = _COLUMNS
    if len(lines) > _LINES:
        lines = lines[:_LINES]
        lines[-1].append(("…", lines[-1][-1][1]))
    return tuple(tuple(line) for line in lines if line) or ((("∅", 0),),)


def _fitting(text: str, room: int) -> str:
    """The longest start of a text that fits, at least one character."""
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > room and index:
            return text[:index]
    return text


def _columns(text: str) -> int:
    """Width in characters of a monospaced font."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)

"""A search tree as SVG, read from left to right as the answer is; runs of fragments without a fork share a box."""

from __future__ import annotations

import itertools
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
        if self.last.score is not None and self.last.self_evaluation is not None:
            parts.append(f"O {self.last.score:.2f}  C {self.last.self_evaluation:.2f}")
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
    widths = [0.0] * (1 + max(box.column for box in boxes))
    for box in boxes:
        widths[box.column] = max(widths[box.column], box.width)
    lefts = [_MARGIN + before for before in itertools.accumulate((width + _GAP_X for width in widths), initial=0.0)]
    centres, bottom = _centres(boxes)
    most = max(1.0, *(node.value for node in tree.nodes.values()), *(n.reward or 0 for n in tree.nodes.values()))
    parts = []
    for box in boxes:
        left = lefts[box.column]
        if box.children:
            bend = lefts[box.column + 1] - _GAP_X
            parts.append(_stem(left + box.width, bend, centres[id(box)], _thickness(box.last, root)))
            parts += [_edge(bend, centres[id(box)], centres[id(child)], child, root) for child in box.children]
        parts.append(_draw(box, left, centres[id(box)] - box.height / 2, most))
    width, height = lefts[-1] - _GAP_X + _MARGIN, bottom + _MARGIN
    label = f"Search tree with {len(tree.nodes)} nodes and {len(tree.pairs)} preference pairs"
    size = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "width": round(width), "height": round(height)}
    return element("svg", *parts, role="img", aria_label=label, class_="tree", **size)


def legend() -> Markup:
    """What the shapes of the boxes mean."""
    kinds = (("chosen", "chosen"), ("rejected", "rejected"), ("plain", "in no pair"))
    keys = [
        element("span", element("svg", *_frame(role, 10, 3, 42, 22), viewBox="0 0 54 28", width=54, height=28), says)
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
    """Vertical centres by box, and the bottom of it all: a box is level with its first child, so the best answer is the
    top row, and each further child lies below all that hangs on the one before."""
    above: dict[int, float] = {}
    below: dict[int, float] = {}
    offsets: dict[int, float] = {}
    for box in reversed(boxes):
        end = 0.0
        for index, child in enumerate(box.children):
            offsets[id(child)] = end + _GAP_Y + above[id(child)] if index else 0.0
            end = offsets[id(child)] + below[id(child)]
        above[id(box)] = max([box.height / 2, *(above[id(child)] for child in box.children[:1])])
        below[id(box)] = max(box.height / 2, end)
    centres = {id(boxes[0]): _MARGIN + above[id(boxes[0])]}
    for box in boxes:
        for child in box.children:
            centres[id(child)] = centres[id(box)] + offsets[id(child)]
    return centres, centres[id(boxes[0])] + below[id(boxes[0])]


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


def _stem(x1: float, x2: float, y: float, thickness: float) -> Markup | None:
    """From a box to where its column ends, so that no curve crosses a wider box of the same column."""
    return element("line", class_="edge", x1=x1, x2=x2, y1=y, y2=y, stroke_width=thickness) if x2 > x1 else None


def _edge(x: float, y1: float, y2: float, child: _Box, root: _Box) -> Markup:
    middle, end = x + _GAP_X / 2, x + _GAP_X
    path = f"M{x:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {end:.1f} {y2:.1f}"
    return element("path", class_=f"edge {child.role}", d=path, stroke_width=_thickness(child.nodes[0], root))


def _thickness(node: DrawnNode, root: _Box) -> float:
    return 1 + 4 * node.visits / max(1, root.last.visits)


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

"""Prints search trees: visits, Q, prior and reward of every node, what is right, and the pairs that they gave.

    python tools/show_tree.py runs/quickstart/round_000/trees/00000.jsonl.zst --best

FILE is a file of trees or a folder of them. N counts samples, Q is the mean reward below a node, p the prior of its
fragment; a leaf has R = O + w_C C, with O for its slots and C by self-evaluation. Pairs are numbered: 2+ stands at the
chosen side of pair 2, 2- at its rejected side, and 2.1, 2.2, ... between them at the sides of a list.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
from collections.abc import Iterator

from etils import epath
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from itool_jax.errors import UserError
from itool_jax.evaluation.report.tree import DrawnNode, DrawnTree, pick_tree, read_trees
from itool_jax.evaluation.report.wording import clean

_NARROWEST = 16  # columns for fragments, however narrow the terminal


def main(arguments: list[str] | None = None, console: Console | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", help="a file of trees (.jsonl.zst), or a folder of them")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--id", help="the tree of this example")
    choice.add_argument("--best", action="store_true", help="the tree that shows most, as the report chooses it")
    choice.add_argument("-n", type=int, default=1, metavar="N", help="the first N trees (1)")
    options = parser.parse_args(arguments)
    console = console or Console(highlight=False)
    try:
        for number, tree in enumerate(_chosen(options)):
            if number:
                console.print()
            console.print(show(tree, console))
    except UserError as error:
        print(f"show_tree: {error}", file=sys.stderr)
        return 2
    return 0


def _chosen(options: argparse.Namespace) -> Iterator[DrawnTree]:
    path = epath.Path(options.file)
    if not path.exists():
        raise UserError(f"there is no file or folder {path}: a round's trees lie in round_NNN/trees of its run.")
    trees = read_trees(path)
    if options.best:
        best = pick_tree(path)
        trees = iter([] if best is None else [best])
    elif options.id is not None:
        trees = (tree for tree in trees if tree.id == options.id)
    else:
        trees = itertools.islice(trees, options.n)
    first = next(trees, None)
    if first is None:
        wanted = f"tree of {options.id!r}" if options.id is not None else "trees"
        raise UserError(f"{path} has no {wanted}.")
    yield first
    if options.id is None:
        yield from trees


def show(tree: DrawnTree, console: Console) -> RenderableType:
    """One tree with its example above and its pairs below, in the width of the console.

    Whatever the model or the data wrote is shown as it is: control characters become signs, and nothing is markup.
    """
    parts: list[RenderableType] = [
        _line(("example  ", "dim"), (tree.id, "bold")),
        _line(("asked    ", "dim"), (_last_lines(tree.prompt), "")),
        _line(("expected ", "dim"), (tree.expected, "green")),
        Text(),
        _nodes(tree, console),
    ]
    if tree.pairs:
        parts += [Text(), *itertools.chain.from_iterable(_pair_lines(tree, n) for n in range(1, len(tree.pairs) + 1))]
    return Group(*parts)


def _nodes(tree: DrawnTree, console: Console) -> Table:
    graded = any(node.self_evaluation is not None for node in tree.nodes.values())
    heads = ["N", "Q", "p", "R", *(["O", "C"] if graded else []), "pairs"]
    marks = _marks(tree)
    rows = [(node, indent, [*_figures(node, graded), marks.get(node.id, [])]) for node, indent in _in_order(tree)]
    columns = [
        max(len(head), *(len(cells[place] if place < len(heads) - 1 else " ".join(cells[-1])) for _, _, cells in rows))
        for place, head in enumerate(heads)
    ]
    room = max(_NARROWEST, console.width - sum(columns) - 2 * len(columns))
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("fragment", width=room, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for node, (own, below), (*figures, numbers) in rows:
        table.add_row(_fragment(tree, node, own, below, room, console), *map(Text, figures), _mark_text(numbers))
    return table


def _figures(node: DrawnNode, graded: bool) -> list[str]:
    values = [node.value, node.prior, node.reward, *([node.score, node.self_evaluation] if graded else [])]
    return [f"{node.visits}", *("" if value is None else f"{value:.2f}" for value in values)]


def _fragment(tree: DrawnTree, node: DrawnNode, own: str, below: str, room: int, console: Console) -> Text:
    """The node's text behind the lines that lead to it, broken to `room` columns."""
    style = "green" if node.right else "red" if node.end == "stop" else "yellow" if node.end else ""
    sign = {"stop": " ✓" if node.right else " ✗", "budget": " … cut off"}.get(node.end or "", "")
    text = Text("prompt", style="dim") if node.id == tree.root else Text(_visible(node.text) + sign, style=style)
    most = room - _NARROWEST // 2  # for the lines: of a deep tree only those nearest to the text
    own, below = (lines if len(lines) <= most else "…" + lines[len(lines) - most + 1 :] for lines in (own, below))
    broken = text.wrap(console, room - max(len(own), len(below)), overflow="fold")
    first = [Text(own, style="dim") + line for line in broken[:1]]
    return Text("\n").join([*first, *(Text(below, style="dim") + line for line in broken[1:])])


def _in_order(tree: DrawnTree) -> Iterator[tuple[DrawnNode, tuple[str, str]]]:
    """Every node before its children, best child first, with the lines on the left of its text and of what is below."""
    waiting = [(tree.root, "", "")]
    while waiting:
        id, own, below = waiting.pop()
        yield tree.nodes[id], (own, below)
        children = tree.children[id]
        for place, child in reversed(list(enumerate(children))):
            if len(children) == 1:
                waiting.append((child, f"{below}╵", f"{below} "))
            else:
                last = place == len(children) - 1
                waiting.append((child, f"{below}{'└' if last else '├'}╴", f"{below}{'  ' if last else '│ '}"))


def _marks(tree: DrawnTree) -> dict[int, list[str]]:
    """By node the pairs that it is a side of."""
    marks: dict[int, list[str]] = {}
    for number, pair in enumerate(tree.pairs, 1):
        for place, side in enumerate(pair.ranked):
            end = "+" if place == 0 else "-" if place == len(pair.ranked) - 1 else f".{place}"
            if side is not None:
                marks.setdefault(side, []).append(f"{number}{end}")
    return marks


def _mark_text(marks: list[str]) -> Text:
    styles = {"+": "green", "-": "red"}
    return Text(" ").join(Text(mark, style=styles.get(mark[-1], "")) for mark in marks)


def _pair_lines(tree: DrawnTree, number: int) -> list[Text]:
    pair = tree.pairs[number - 1]
    prefix = tree.path_text(pair.parent) or "(start of the answer)"
    lines = [_line((f"pair {number}  gap {pair.gap:.3f}  after ", "dim"), (prefix, ""))]
    for place, side in enumerate(pair.ranked):
        sign, style = ("+", "green") if place == 0 else ("-", "red") if place == len(pair.ranked) - 1 else ("·", "")
        text = "(the ground truth's fragment)" if side is None else tree.nodes[side].text
        lines.append(_line((f"  {sign} ", style), (text, style)))
    return lines


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*((_visible(text), style) for text, style in parts))


def _visible(text: str) -> str:
    return clean(text).replace("\n", "⏎").replace("\t", "⇥")


def _last_lines(prompt: str, most: int = 300) -> str:
    return prompt if len(prompt) <= most else f"… {prompt[-most:]}"


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as when piped into head
    sys.exit(main())

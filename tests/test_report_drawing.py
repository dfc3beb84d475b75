"""What the report draws: elements, axes and search trees."""

from __future__ import annotations

import random
import re

import pytest

from itool_jax.evaluation.report.axes import Scale, log_ticks, thin, ticks
from itool_jax.evaluation.report.markup import element
from itool_jax.evaluation.report.tree import tree_from_json
from itool_jax.evaluation.report.tree_drawing import draw_tree
from tests.report_runs import node, wide_tree


def test_elements_escape_all_but_markup():
    inner = element("b", '<&>"', title="\"<&>'")
    assert inner == '<b title="&quot;&lt;&amp;&gt;&#x27;">&lt;&amp;&gt;&quot;</b>'
    assert element("p", inner, None, "x", class_="a", hidden=False, lang=None) == f'<p class="a">{inner}x</p>'


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [node(0, 1, "", 1, 0.0), node(1, 0, "", 1, 0.0)],
        [node(0, -1, "", 1, 0.0), node(1, 2, "a", 1, 0.0), node(2, 1, "b", 1, 0.0)],
        [node(0, -1, "", 1, 0.0), node(0, -1, "", 1, 0.0)],
        [node(0, -1, "", 1, 0.0), node(1, 7, "", 1, 0.0)],
    ],
)
def test_what_is_no_tree_is_refused(nodes):
    with pytest.raises((ValueError, KeyError)):
        tree_from_json({"id": "x", "prompt": "", "expected": "", "nodes": nodes})


def frames(svg: str) -> list[tuple[float, float, float, float]]:
    found = re.findall(r'<rect class="frame \w+" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    return [tuple(map(float, numbers)) for numbers in found]


def test_boxes_of_random_trees_lie_apart_and_inside_the_drawing():
    chance = random.Random(3)
    for size in (1, 2, 5, 20, 60):
        nodes = [node(0, -1, "", 9, 0.5)]
        for id in range(1, size):
            text = "x" * chance.choice((1, 8, 40, 95)) + chance.choice(("", "日本語", "\n\t"))
            nodes.append(node(id, chance.randrange(id), text, chance.randrange(1, 5), chance.random()))
        svg = draw_tree(tree_from_json({"id": "x", "prompt": "", "expected": "", "nodes": nodes}))
        boxes = frames(svg)
        width, height = (float(side) for side in re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
        assert boxes and all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
        for index, (x, y, w, h) in enumerate(boxes):
            for x2, y2, w2, h2 in boxes[:index]:
                assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_fragments_without_a_fork_share_a_box_and_pairs_never_do():
    drawn = draw_tree(tree_from_json(wide_tree()))
    assert drawn.count('class="frame chosen"') == 3 and drawn.count('class="frame rejected"') == 4
    assert len(frames(drawn)) == 12
    assert re.search(r'class="f0">\s*guests=4,</tspan><tspan class="f1">\s*outdoor=True\),', drawn)


def test_a_very_deep_tree_needs_no_deep_stack():
    nodes = [node(0, -1, "", 9, 0.5), *(node(id, id - 1, f"a{id}", 9, 0.5 + id % 2 / 9) for id in range(1, 3000))]
    svg = draw_tree(tree_from_json({"id": "x", "prompt": "", "expected": "", "nodes": nodes}))
    assert len(frames(svg)) == 3000


def test_ticks_are_round_and_within():
    assert ticks(0, 100, 4) == [0, 25, 50, 75, 100]
    assert ticks(-0.013, 0.058, 4) == pytest.approx([0, 0.02, 0.04])
    assert log_ticks(0.09, 6) == pytest.approx([0.1, 0.3, 1, 3])
    assert log_ticks(1e-9, 1e9, 5)[-1] <= 1e9 and len(log_ticks(1e-9, 1e9, 5)) <= 5
    assert Scale(0.1, 10, 100, 0, logarithmic=True)(1) == pytest.approx(50)


def test_thinning_keeps_the_mean_and_the_order():
    points = [(float(step), float(step % 7)) for step in range(1, 1001)]
    thinned = thin(points, 125)
    assert len(thinned) == 125 and thinned == sorted(thinned)
    assert sum(y for _, y in thinned) / 125 == pytest.approx(sum(y for _, y in points) / 1000)
    assert thin(points[:9], 125) == points[:9]

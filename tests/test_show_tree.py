"""tools/show_tree.py on trees of a real search and on made-up ones: what it prints, how wide, and what it refuses."""

from __future__ import annotations

import io
import runpy

import pytest
import zstandard
from etils import epath
from rich.cells import cell_len
from rich.console import Console

from itool_jax.data.example import Example
from itool_jax.search.pairs import PairConfig, PairReader
from itool_jax.search.records import RecordWriter, compress_line, read_records, tree_record
from tests.report_runs import NASTY, leaf, node, small_tree, wide_tree
from tests.test_search import run_search
from tests.worlds import dialect

main = runpy.run_path("tools/show_tree.py")["main"]


def printed(*arguments, width=100) -> str:
    screen = io.StringIO()
    status = main([str(part) for part in arguments], Console(file=screen, width=width, highlight=False))
    assert status == 0
    return screen.getvalue()


def write(path, *trees):
    path.write_bytes(b"".join(map(compress_line, trees)))
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A real search's trees, with self-evaluation, in files of one tree each."""
    folder = tmp_path_factory.mktemp("trees")
    with RecordWriter(epath.Path(folder), file_bytes=1) as writer:
        for growth in run_search(count=2, self_eval_weight=0.5).values():
            writer.write(tree_record(growth, growth_pairs(growth), dialect()))
    return folder


def growth_pairs(growth):
    example: Example = growth.prepared.example
    reader = PairReader(PairConfig(ground_truth_stand_in=True), example, [growth.prepared.answer], dialect().text)
    return reader.pairs(growth.tree)


def test_a_real_search_is_shown_with_all_its_figures(searched):
    first, second = read_records(searched)
    shown = printed(searched / "00000.jsonl.zst", width=300)
    assert first["id"] in shown and second["id"] not in shown and first["expected"] in shown
    rows = shown.split("fragment", 1)[1].splitlines()[1 : 1 + len(first["nodes"])]
    assert len(rows) == len(first["nodes"])
    ended = [one for one in first["nodes"] if one["end"]]
    assert shown.count("✓") + shown.count("✗") + shown.count("… cut off") == len(ended)
    for one in ended:
        figures = [f"{one['visits']}", f"{one['value']:.2f}", f"{one['prior']:.2f}", f"{one['reward']:.2f}"]
        if one["end"] == "stop":
            figures += [f"{one['score']:.2f}", f"{one['self_evaluation']:.2f}"]
        assert any(" ".join(figures) in " ".join(row.split()) for row in rows), figures
    both = printed(searched, "-n", 5, width=300)
    assert first["id"] in both and second["id"] in both
    alone = printed(searched, "--id", second["id"], width=300)
    assert second["id"] in alone and first["id"] not in alone


def test_pairs_and_lists_are_marked_at_their_sides(tmp_path):
    tree = wide_tree()
    tree["pairs"][0] |= {"ranked": [2, 3]}
    tree["pairs"].append({"parent": 0, "chosen": 9, "rejected": 15, "gap": 0.5, "ranked": [9, 12, 13, 15]})
    shown = printed(write(tmp_path / "t.jsonl.zst", small_tree(), tree), "--best", width=160)
    assert tree["id"] in shown and "pair 1  gap 0.460  after [search_restaurants(" in shown
    at = {line.strip("│├└╴╵ ").split("  ")[0]: line.split() for line in shown.splitlines()}
    assert at['city="Trondheim",'][-1] == "1+" and at['city="Oslo",'][-1] == "1-"
    assert at["outdoor=False)] ✗"][-2:] == ["4-", "5.2"] and "(the ground truth's fragment)" in shown
    assert at['check_weather(city="Trondheim", day="tomorrow evening")] ✓'][-1] == "5+"


@pytest.mark.parametrize("width", [40, 60, 100])
def test_lines_fit_the_terminal(tmp_path, width):
    nodes = [node(0, -1, "", 9, 0.5)]
    for depth in range(60):  # a fork at every level
        nodes += [
            node(2 * depth + 1, 2 * depth, "a" * 50, 2, 0.5),
            leaf(2 * depth + 2, 2 * depth, "日本語" * 9, 1, 0.9),
        ]
    deep = {"id": "deep", "prompt": "x" * 500, "expected": "y" * 200, "nodes": nodes, "pairs": []}
    shown = printed(write(tmp_path / "t.jsonl.zst", deep, wide_tree()), "-n", 2, width=width)
    assert max(map(cell_len, shown.splitlines())) <= width


def test_text_of_others_is_shown_and_does_nothing(tmp_path):
    bad = f"[bold red]{NASTY}[/] \x1b[2J [link=http://x]y[/link]\n\tz"
    nodes = [node(0, -1, "", 2, 0.5), leaf(1, 0, bad, 1, 1.0), leaf(2, 0, "b", 1, 0.0)]
    pair = {"parent": 0, "chosen": 1, "rejected": 2, "gap": 1.0}
    tree = {"id": bad, "prompt": bad, "expected": bad, "nodes": nodes, "pairs": [pair]}
    path = write(tmp_path / "t.jsonl.zst", tree)
    shown = printed(path, width=600)
    assert not {"\x1b", "\x00", "\u202e", "\t"} & set(shown)
    assert shown.count("[bold red]") == shown.count("[link=http://x]y[/link]⏎⇥z") == 5
    screen = io.StringIO()
    main([str(path)], Console(file=screen, width=600, force_terminal=True, color_system="standard"))
    assert "\x1b[2J" not in screen.getvalue() and "\x1b]8" not in screen.getvalue()


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        (None, (), "there is no file or folder"),
        (b"no zstandard", (), "cannot be read as search trees"),
        (zstandard.compress(b'{"id": 1}\n'), (), "cannot be read as search trees"),
        (compress_line(small_tree()), ("--id", "nobody"), "has no tree of 'nobody'"),
        (b"", ("--best",), "has no trees"),
    ],
)
def test_what_cannot_be_shown_is_told(tmp_path, capsys, content, arguments, says):
    path = tmp_path / "t.jsonl.zst"
    if content is not None:
        path.write_bytes(content)
    assert main([str(path), *arguments]) == 2
    assert says in capsys.readouterr().err

"""The report: what it reads from a run directory, and what it shows of it."""

from __future__ import annotations

import html.parser
import io
import json
import random
import re
from pathlib import Path

import pytest
import zstandard
from rich.console import Console

from itool_jax.errors import UserError
from itool_jax.evaluation import Graded, write_evaluation
from itool_jax.evaluation.report import collect, show, to_json, write_html
from itool_jax.evaluation.report.axes import Scale, log_ticks, thin, ticks
from itool_jax.evaluation.report.markup import element
from itool_jax.evaluation.report.page import html_page
from itool_jax.evaluation.report.tree import tree_from_json
from itool_jax.evaluation.report.tree_drawing import draw_tree

SETS = {"easy": 0.1, "medium": 0.0, "hard": -0.3, "unseen_tools": -0.35}  # added to the chance of a right answer
STAGES = {"base": 0.02, "warmup": 0.78, "round_000": 0.79, "round_001": 0.805}
KINDS = {
    "format": 1,
    "missing_call": 1,
    "call_count": 2,
    "function_name": 2,
    "missing_parameter": 3,
    "parameter_value": 9,
}
NASTY = '</text></svg><script>alert("x")</script><img src=x onerror=alert(1)> & \u202e\x1b[31m\x00'


def make_run(run: Path, stages: tuple[str, ...] = tuple(STAGES), count: int = 1000) -> Path:
    """The files of a run that has come as far as the given stages."""
    chance = random.Random(0)
    run.mkdir(parents=True)
    config = {"seed": 0, "model": {"preset": "tiny"}, "data": {"source": "toolworld", "train": []}, "rounds": 2}
    config |= {"round": {"prefer": {"loss": "simpo", "beta": 2.5, "learning_rate": 1e-5}}}
    (run / "config.json").write_text(json.dumps(config))
    manifest: dict[str, dict] = {}
    for stage in stages:
        write_evaluation(run / stage / "eval", {name: answers(name, stage, count) for name in SETS}, {"hard": 3})
        if stage == "warmup":
            manifest |= {
                f"warmup/{level}": {"seconds": 96.4, "summary": {"examples": 2500, "too_long": 0, "steps": 625}}
                for level in ("easy", "medium", "hard")
            }
        if stage.startswith("round"):
            manifest[f"{stage}/score"] = {"seconds": 31.0, "summary": {"buffer": 3750, "selected": 1125}}
            manifest[f"{stage}/search"] = {"seconds": 214.7, "summary": {"pairs": {"kept": 905}, "prompts_too_long": 0}}
            manifest[f"{stage}/prefer"] = {"seconds": 58.1, "summary": {"pairs": 905, "steps": 113, "last_loss": 0.41}}
            (run / stage / "stats.json").write_text(json.dumps(stats(chance)))
            (run / stage / "trees").mkdir()
            lines = [json.dumps(tree) + "\n" for tree in (small_tree(), wide_tree())]
            content = b"".join(zstandard.compress(line.encode()) for line in lines)
            (run / stage / "trees" / "00000.jsonl.zst").write_bytes(content)
        manifest[f"{stage}/eval"] = {"seconds": 44.9, "summary": {"hard": 0.5}}
    (run / "manifest.json").write_text(json.dumps({"version": 1, "stages": manifest}))
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics(stages, chance)))
    return run


def answers(name: str, stage: str, count: int) -> list[Graded]:
    graded = []
    for index in range(count):
        ability = random.Random(f"{name}/{index}").random()  # the same example is as difficult at every stage
        luck = random.Random(f"{name}/{index}/{stage}").random()
        right = 0.8 * ability + 0.2 * luck < STAGES[stage] + (SETS[name] if stage != "base" else 0)
        kind = None if right else random.Random(f"{index}{stage}").choices(list(KINDS), list(KINDS.values()))[0]
        text = '[book_table(city="Oslo", guests=4)]'
        graded.append(Graded(f"{name}/{index}", "hard", text, text, right, kind, 1.0 if right else 0.6))
    return graded


def metrics(stages: tuple[str, ...], chance: random.Random) -> list[dict]:
    rows: list[dict] = []
    for number, level in enumerate(("easy", "medium", "hard") if "warmup" in stages else ()):
        for step in range(1, 626):
            begun = number * 625 + step
            loss = 6.2 * 2.0 ** (-begun / 90) + 0.09 + 0.03 * number + chance.random() * 0.05
            rows.append({"stage": f"warmup/{level}", "step": step, "time": 0.0, "loss": loss, "grad_norm": 0.4})
            if step % 125 == 0:
                shares = {name: (0.8 + plus) * (1 - 2.0 ** (-begun / 400)) for name, plus in SETS.items()}
                rows.append({"stage": f"warmup/{level}/heldout", "step": step, "time": 0.0, **shares})
    for stage in stages:
        for step in range(1, 114) if stage.startswith("round") else ():
            row = {
                "loss": 1.1 - 0.005 * step + 0.1 * chance.random(),
                "accuracy": 0.7 + 0.002 * step,
                "margin": 0.01 * step,
            }
            row |= {"chosen_logprob": -0.7 - 0.001 * step, "rejected_logprob": -1.1 - 0.01 * step}
            rows.append({"stage": f"{stage}/prefer", "step": step, "time": 0.0, **row})
    return rows


def stats(chance: random.Random) -> dict:
    return {
        "trees": {
            "grown": 1125,
            "samples": 16875,
            "right_samples": 9731 + chance.randrange(99),
            "all_right": 402,
            "retired": 3,
        },
        "pairs": {"kept": 905, "sampled": 905},
        "pairs_removed": {"no_right_child": 288, "not_proven_wrong": 171, "same_reading": 40, "over_limit": 12},
        "prompts_too_long": 0,
    }


def node(id: int, parent: int, text: str, visits: int, value: float, **more) -> dict:
    return {"id": id, "parent": parent, "text": text, "tokens": 4, "visits": visits, "value": value, "prior": 0.42} | {
        "reward": None,
        "end": None,
        **more,
    }


def leaf(id: int, parent: int, text: str, visits: int, reward: float, end: str = "stop") -> dict:
    return node(id, parent, text, visits, reward, reward=reward, end=end, right=reward == 1.0)


def small_tree() -> dict:
    nodes = [node(0, -1, "", 3, 0.5), leaf(1, 0, "[f(a=1)]", 2, 1.0), leaf(2, 0, "[f(a=2)]", 1, 0.25)]
    return {"id": "b/2", "prompt": "Call f.", "expected": "[f(a=1)]", "nodes": nodes, "pairs": []}


def wide_tree() -> dict:
    nodes = [
        node(0, -1, "", 15, 0.74),
        node(1, 0, "[search_restaurants(", 15, 0.74),
        node(2, 1, 'city="Trondheim",', 12, 0.82),
        node(3, 1, 'city="Oslo",', 3, 0.36),
        node(4, 2, ' cuisine="ramen",', 8, 0.91),
        node(5, 2, ' cuisine="Japanese",', 4, 0.64),
        node(6, 4, " guests=4,", 6, 1.0),
        node(7, 4, " guests=3,", 2, 0.42),
        node(8, 6, " outdoor=True),", 6, 1.0),
        leaf(9, 8, ' check_weather(city="Trondheim", day="tomorrow evening")]', 6, 1.0),
        leaf(10, 7, " outdoor=True)]", 2, 0.42),
        node(11, 5, " guests=4,", 4, 0.64),
        leaf(12, 11, " outdoor=True)]", 2, 0.71),
        leaf(13, 11, " outdoor=False)]", 2, 0.57),
        node(14, 3, " guests=4,", 3, 0.36),
        leaf(
            15,
            14,
            ' cuisine="ramen", outdoor=True, name="the one that was named in the last message"',
            2,
            0.0,
            "budget",
        ),
        leaf(16, 14, ' cuisine="ramen")]', 1, 0.36 * 3),
    ]
    pairs = [
        {"parent": 1, "chosen": 2, "rejected": 3, "gap": 0.46},
        {"parent": 2, "chosen": 4, "rejected": 5, "gap": 0.27},
        {"parent": 4, "chosen": 6, "rejected": 7, "gap": 0.58},
        {"parent": 11, "chosen": -1, "rejected": 13, "gap": 0.43},
    ]
    prompt = (
        "search_restaurants(city:str, cuisine:str, guests:int, outdoor?:bool)\n\nUser: Ramen for four in Trondheim."
    )
    expected = '[search_restaurants(city="Trondheim", cuisine="ramen", guests=4, outdoor=True)]'
    return {"id": "toolworld/hard/01873", "prompt": prompt, "expected": expected, "nodes": nodes, "pairs": pairs}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "quickstart", count=200)


def shown(results, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(results, console)
    return console.file.getvalue()


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page; fails where tags are not balanced."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values |= {value for _, value in attrs if value}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def test_json_has_shares_and_error_counts_of_every_set_and_stage(run):
    printed = to_json(collect(run))
    assert list(printed) == ["sets", "errors"]
    assert list(printed["sets"]) == list(printed["errors"]) == ["easy", "medium", "hard", "unseen_tools"]
    for name in SETS:
        for stage in STAGES:
            rows = [json.loads(line) for line in (run / stage / "eval" / f"{name}.jsonl").read_text().splitlines()]
            assert printed["sets"][name][stage] == sum(row["right"] for row in rows) / len(rows)
            kinds = [row["error"] for row in rows if row["error"]]
            assert printed["errors"][name][stage] == {kind: kinds.count(kind) for kind in set(kinds)}
    assert json.loads(json.dumps(printed, allow_nan=False)) == printed


def test_changes_are_counted_on_the_same_examples(run):
    results = collect(run)
    change = results.change("hard", "warmup", "round_001")
    first, second = (
        {one["id"]: one["right"] for one in map(json.loads, (run / stage / "eval/hard.jsonl").read_text().splitlines())}
        for stage in ("warmup", "round_001")
    )
    gained = sum(not first[key] and second[key] for key in first)
    lost = sum(first[key] and not second[key] for key in first)
    assert gained and lost
    assert (change.gained, change.lost) == (gained, lost)
    assert change.share == pytest.approx((gained - lost) / 200)
    assert change.interval[0] < change.share < change.interval[1]
    assert results.reference == "warmup" and results.later == ("round_000", "round_001")


def test_a_change_between_different_examples_has_no_interval(tmp_path):
    run = make_run(tmp_path / "run", ("base", "warmup"), count=20)
    write_evaluation(run / "warmup/eval", {"hard": answers("medium", "warmup", 20)})
    change = collect(run).change("hard", "base", "warmup")
    assert change.interval is None and change.gained is None
    (run / "base/eval/hard.jsonl").unlink()
    assert collect(run).change("hard", "base", "warmup").interval is None


@pytest.mark.parametrize("reached", range(len(STAGES) + 1))
def test_a_run_that_has_got_only_so_far_gives_a_smaller_report(tmp_path, reached):
    stages = tuple(STAGES)[:reached]
    run = make_run(tmp_path / "run", stages, count=20)
    results = collect(run)
    assert results.stages == stages
    assert (results.tree is None) == (not any(stage.startswith("round") for stage in stages))
    page = Page(html_page(results))
    headings = {"Exact match": 1, "Change since the base model": 2, "Change since the warm-up": 3, "One search tree": 3}
    for heading, needed in headings.items():
        expected = reached == needed if heading.endswith("base model") else reached >= needed
        assert (heading in page.texts) == expected, heading
    assert ("Change from base" in shown(results)) == (reached >= 2)
    assert ("Nothing has been evaluated yet" in shown(results)) == (reached == 0)
    assert set(to_json(results)["sets"].get("hard", {})) == set(stages)


def test_every_optional_file_may_be_absent(tmp_path):
    run = make_run(tmp_path / "run", count=20)
    (run / "manifest.json").unlink()
    (run / "metrics.jsonl").unlink()
    for name in ("round_000", "round_001"):
        (run / name / "stats.json").unlink()
        (run / name / "trees/00000.jsonl.zst").unlink()
    results = collect(run)
    assert (results.costs, results.curves, results.stats, results.tree) == ((), {}, {}, None)
    assert results.stages == tuple(STAGES)
    Page(html_page(results))
    assert shown(results)


def test_manifest_entries_without_seconds_or_of_another_form_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", (), count=1)
    stages = {"a": {"seconds": 2.5}, "b": {}, "c": [], "d": {"seconds": "x"}, "e": {"seconds": 1, "summary": 3}}
    (run / "manifest.json").write_text(json.dumps({"stages": stages}))
    assert [(cost.name, cost.seconds, cost.summary) for cost in collect(run).costs] == [("a", 2.5, {}), ("e", 1.0, {})]


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "notes.txt"):
        with pytest.raises(UserError, match=re.escape(str(path))):
            collect(path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("manifest.json", b"{"),
        ("config.json", b"[]"),
        ("round_001/stats.json", b"3"),
        ("warmup/eval/summary.json", b'{"sets": 1}'),
        ("warmup/eval/hard.jsonl", b""),
        ("metrics.jsonl", b"{}\n"),
        ("round_001/trees/00000.jsonl.zst", b"no zstandard"),
        ("round_001/trees/00000.jsonl.zst", zstandard.compress(b'{"id": 1}\n')),
        ("round_001/trees/00000.jsonl.zst", zstandard.compress(b"[" * 100_000 + b"\n")),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, content):
    run = make_run(tmp_path / "run", count=5)
    (run / file).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(file.split("/")[-1])):
        collect(run)


def test_curves_hold_the_training_and_what_was_measured_beside_it(run):
    curves = collect(run).curves
    assert list(curves) == ["warmup/easy", "warmup/medium", "warmup/hard", "round_000/prefer", "round_001/prefer"]
    assert set(curves["warmup/hard"]) == {"loss", *(f"heldout/{name}" for name in SETS)}
    assert [step for step, _ in curves["warmup/hard"]["heldout/hard"]] == [125, 250, 375, 500, 625]
    assert set(curves["round_000/prefer"]) == {"loss", "margin", "accuracy", "chosen_logprob", "rejected_logprob"}
    assert len(curves["round_000/prefer"]["loss"]) == 113


def test_figures_that_are_not_finite_leave_a_gap(tmp_path):
    run = make_run(tmp_path / "run", (), count=1)
    rows = [{"stage": "warmup/easy", "step": step, "loss": "nan" if step == 2 else 1.5} for step in (1, 2, 3)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert collect(run).curves["warmup/easy"]["loss"] == ((1, 1.5), (3, 1.5))
    assert "NaN" not in html_page(collect(run))


def test_the_page_is_whole_and_loads_nothing(run, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("the page before")
    write_html(collect(run), path)
    text = path.read_text()
    page = Page(text)
    assert [child.name for child in tmp_path.iterdir()] == ["report.html"]
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "image", "use", "base", "form", "a"}
    assert not page.attributes & {"src", "href", "xlink:href", "srcset", "style", "action", "data"}
    assert not any(name.startswith("on") for name in page.attributes)
    assert not re.search(r"url\(|@import|https?:", text)
    assert any("default-src 'none'" in value for value in page.values)
    for heading in ("Exact match", "Error kinds", "One search tree", "Training", "Stages and their cost", "Config"):
        assert heading in page.texts
    assert html_page(collect(run)) == text


def test_the_page_shows_the_figures(run):
    results = collect(run)
    text = Page(html_page(results)).text
    for name in SETS:
        for stage in STAGES:
            assert f"{100 * results.summary(name, stage).exact_match:.1f}" in text
    old, new = (results.summary("hard", stage).errors["parameter_value"] for stage in ("warmup", "round_001"))
    assert f"{old} → {new}" in text
    assert "round.prefer.learning_rate" in text and "3 min 35 s" in text and "9,7" in text and "3 too long" in text


def test_model_output_and_names_are_text_whatever_they_hold(tmp_path):
    run = make_run(tmp_path / f"run {NASTY.replace('/', '').replace(chr(0), '')}", ("base",), count=3)
    tree = small_tree()
    tree |= {
        "id": NASTY,
        "prompt": NASTY,
        "expected": NASTY,
        "pairs": [{"parent": 0, "chosen": 1, "rejected": 2, "gap": 0.5}],
    }
    for node in tree["nodes"]:
        node["text"] = NASTY
    (run / "round_000/trees").mkdir(parents=True)
    (run / "round_000/trees/0.jsonl.zst").write_bytes(zstandard.compress(json.dumps(tree).encode() + b"\n"))
    (run / "round_000/stats.json").write_text(json.dumps({NASTY: {NASTY: NASTY}}))
    (run / "config.json").write_text(json.dumps({NASTY: NASTY}))
    (run / "manifest.json").write_text(json.dumps({"stages": {NASTY: {"seconds": 1, "summary": {NASTY: NASTY}}}}))
    rows = [{"stage": f"{NASTY}", "step": step, "loss": 1.0} for step in (1, 2)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = html_page(collect(run))
    page = Page(text)
    assert not page.tags & {"script", "img"}
    assert "onerror" not in page.attributes
    assert '</text></svg><script>alert("x")</script>' in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_the_terminal_prints_names_as_they_are(tmp_path):
    run = make_run(tmp_path / "[red]run\x1b[31m", ("base",), count=3)
    summary = run / "base/eval/summary.json"
    summary.write_text(summary.read_text().replace('"easy"', '"[bold]easy"'))
    (run / "base/eval/easy.jsonl").unlink()
    printed = shown(collect(run))
    assert "[red]run" in printed and "[bold]easy" in printed
    assert "\x1b" not in printed


def test_the_terminal_shows_intervals_changes_and_errors(run):
    results = collect(run)
    printed = shown(results)
    hard = results.summary("hard", "round_001")
    low, high = (f"{100 * end:.1f}" for end in hard.interval)
    assert f"{100 * hard.exact_match:.1f}" in printed and f"{low}–{high}" in printed
    change = results.change("hard", "warmup", "round_001")
    assert f"{100 * abs(change.share):.1f}" in printed
    assert "Change from base" in printed and "Change from warm-up" in printed and "parameter value" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_elements_escape_all_but_markup():
    inner = element("b", '<&>"', title="\"<&>'")
    assert inner == '<b title="&quot;&lt;&amp;&gt;&#x27;">&lt;&amp;&gt;&quot;</b>'
    assert element("p", inner, None, "x", class_="a", hidden=False, lang=None) == f'<p class="a">{inner}x</p>'


def test_the_tree_that_shows_most_is_drawn(run):
    results = collect(run)
    assert results.tree_round == "round_001"
    assert results.tree.id == "toolworld/hard/01873"
    assert len(results.tree.pairs) == 4
    assert results.tree.path_text(6) == '[search_restaurants(city="Trondheim", cuisine="ramen", guests=4,'


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

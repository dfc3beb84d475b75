"""The report: what it reads from a run directory, and what it shows of it."""

from __future__ import annotations

import html.parser
import io
import json
import re
from pathlib import Path

import pytest
import zstandard
from rich.console import Console

from itool_jax.errors import UserError
from itool_jax.evaluation import write_evaluation
from itool_jax.evaluation.report import collect, show, to_json, write_html
from itool_jax.evaluation.report.collect import _DRAWN
from itool_jax.evaluation.report.page import html_page
from itool_jax.evaluation.report.sections import _METRICS, _REWARDS, _TOGETHER
from tests.report_runs import NASTY, SETS, STAGES, answers, make_run, small_tree


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
    assert list(printed) == ["sets", "errors", "intervals", "difficulties", "unfinished", "overall"]
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


def test_rewards_of_the_search_stand_beside_the_training(run):
    """In the counts, as curves, and at the leaves of the tree."""
    results = collect(run)
    page = Page(html_page(results)).text
    for says in ("mean score", "mean self evaluation", "O, the credit for slots", "C, self-evaluation", "O 0.88"):
        assert says in page, says
    assert len(results.curves["round_000/search"]["score"]) == 1125


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
    rounds = [f"{name}/{step}" for name in ("round_000", "round_001") for step in ("search", "prefer")]
    assert list(curves) == ["warmup/easy", "warmup/medium", "warmup/hard", *rounds]
    assert set(curves["warmup/hard"]) == {"loss", "grad_norm", *(f"heldout/{name}" for name in SETS)}
    assert [step for step, _ in curves["warmup/hard"]["heldout/hard"]] == [125, 250, 375, 500, 625]
    watched = {f"{side}_{what}" for side in ("chosen", "rejected") for what in ("logprob", "drift")}
    watched |= {"loss", "margin", "accuracy", "grad_norm", "tokens_per_s", "mfu", "memory_gib", "peak_memory_gib"}
    watched |= {"anchor_logprob", "kl", "out_of_clip"}
    assert set(curves["round_000/prefer"]) == watched
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


def test_the_page_plots_what_training_watches(run):
    text = Page(html_page(collect(run))).text
    for title in (
        "Norm of the gradient, before clipping",
        "Tokens a second",
        "Log-probability of a side less the reference's",
        "KL to the policy that sampled, per token",
        "Share of tokens outside the ratio's clip",
        "Memory of the fullest device, GiB",
    ):
        assert title in text
    panel = text[text.index("Model FLOPs of the devices' peak, %") :]
    assert "42" in panel[:60]  # a share of 0.41 to 0.4213, in per cent
    of_tokens = text[text.index("Log-probability per token") :]
    assert "ground truth" in of_tokens[: of_tokens.index("Log-probability of a side")]


def test_every_metric_that_is_read_has_its_panel():
    together = (name for metrics in _TOGETHER.values() for name in metrics)
    assert sorted(_DRAWN) == sorted([*_METRICS, *together, *_REWARDS])


def test_the_page_counts_what_the_data_left_out(tmp_path):
    path = make_run(tmp_path / "run") / "manifest.json"
    assert "The training data" not in html_page(collect(path.parent))
    manifest = json.loads(path.read_text())
    left_out = {"examples": 90, "malformed": {"a<b>.json": 3}, "compared": 100, "removed_exact": 7, "removed_near": 0}
    manifest["stages"]["data"] = {"seconds": 0.1, "summary": {**left_out, "variants": {}}}
    path.write_text(json.dumps(manifest))
    page = html_page(collect(path.parent))
    section = page[page.index("The training data") : page.index("What the rounds made")]
    assert "removed exact" in section and "<td>7</td>" in section and "malformed · a&lt;b&gt;.json" in section
    assert "removed near" not in section and "variants" not in section.split("<table")[1]


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


def test_the_tree_that_shows_most_is_drawn(run):
    results = collect(run)
    assert results.tree_round == "round_001"
    assert results.tree.id == "toolworld/hard/01873"
    assert len(results.tree.pairs) == 4
    assert results.tree.path_text(6) == '[search_restaurants(city="Trondheim", cuisine="ramen", guests=4,'

"""The sections of the report's page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from itool_jax.evaluation.report import charts, wording
from itool_jax.evaluation.report.markup import Child, Markup, element, join
from itool_jax.evaluation.report.overview import HEADS, NOTE, overview
from itool_jax.evaluation.report.results import BASE, Change, Points, RunResults
from itool_jax.evaluation.report.tree import DrawnPair, DrawnTree
from itool_jax.evaluation.report.tree_drawing import draw_tree, legend

_DATA = "data"  # the stage that counts what its sources left out
_METRICS = {
    "loss": "loss",
    "margin": "margin of chosen over rejected",
    "accuracy": "share of pairs ranked right",
    "kl": "KL to the policy that sampled, per token",
    "out_of_clip": "share of tokens outside the ratio's clip",
    "grad_norm": "norm of the gradient, before clipping",
    "learning_rate": "learning rate",
    "tokens_per_s": "tokens a second",
    "mfu": "model FLOPs of the devices' peak, %",
}
_WIDE = ("loss", "grad_norm")  # may span powers of ten
# Metrics that share a panel, by its title.
_TOGETHER = {
    "log-probability per token": {
        "chosen_logprob": "chosen",
        "rejected_logprob": "rejected",
        "anchor_logprob": "ground truth",
    },
    "log-probability of a side less the reference's": {"chosen_drift": "chosen", "rejected_drift": "rejected"},
    "memory of the fullest device, GiB": {"memory_gib": "in use", "peak_memory_gib": "at most so far"},
}
_REWARDS = {"score": "O, the credit for slots", "self_evaluation": "C, self-evaluation"}
_SEARCH = "/search"  # the end of the names of stages whose steps are trees, not training


def all_sections(results: RunResults) -> list[Markup]:
    made = (_exact_match, _gains, _figures, _overall, _errors, _tree, _training, _data, _rounds, _costs, _config)
    return [section for make in made if (section := make(results)) is not None]


def _exact_match(results: RunResults) -> Markup | None:
    if not results.sets:
        return None
    panels = [
        _panel(wording.set_label(name), _count(results, name), charts.levels(_summaries(results, name)))
        for name in results.sets
    ]
    note = (
        "Share of answers whose parsed calls equal the ground truth (a benchmark's: by its own rules), in per cent; "
        "bars are 95\u00a0% Wilson intervals."
    )
    return _section("Exact match", note, _grid(panels))


def _gains(results: RunResults) -> Markup | None:
    changes = {name: _changes(results, name, results.reference, results.later) for name in results.sets}
    everything = [change for found in changes.values() for change in found.values()]
    if not everything:
        return None
    low, high = charts.gain_bounds(everything)
    panels = [
        _panel(wording.set_label(name), "", charts.gains(found, low, high)) for name, found in changes.items() if found
    ]
    note = (
        "Percentage points on the same examples, with 95\u00a0% paired intervals (Newcombe). Coloured where the "
        "interval leaves out zero. One seed: the interval covers the choice of examples, not that of the run."
    )
    return _section(f"Change since {_named(results.reference)}", note, _grid(panels))


def _figures(results: RunResults) -> Markup | None:
    if not results.sets:
        return None
    heads = ["Set", "Examples", *(_title(wording.stage_label(stage)) for stage in results.stages)]
    rows = []
    for name in results.sets:
        cells = [_figure_cell(results, name, stage) for stage in results.stages]
        rows.append([_title(wording.set_label(name)), _count(results, name).replace(" examples", ""), *cells])
    return _section(
        "Figures",
        "Exact match in per cent, its interval, answers cut off at their token limit, and the change since the base "
        "and the warm-up.",
        _table(heads, rows),
    )


def _figure_cell(results: RunResults, name: str, stage: str) -> Child:
    summary = results.summary(name, stage)
    if summary is None:
        return "–"
    lines: list[Child] = [
        element("b", wording.percent(summary.exact_match)),
        element("small", wording.span(summary.interval)),
    ]
    if summary.unfinished:
        lines.append(element("small", wording.cut_off(summary)))
    for before in dict.fromkeys((BASE, results.reference)):
        if before and before in results.stages[: results.stages.index(stage)]:
            change = results.change(name, before, stage)
            if change:
                says = f"{wording.points(change.share)} vs {wording.stage_label(before)}"
                lines.append(element("small", says, class_=("worse", "same", "better")[change.direction + 1]))
    return join(lines)


def _overall(results: RunResults) -> Markup | None:
    rows = [
        [_title(row.sets), _title(row.stage), row.answers, *(join(_cell(*cell)) for cell in row.cells)]
        for row in overview(results)
    ]
    return _section("All sets together", NOTE, _table(HEADS, rows)) if rows else None


def _cell(share: str, below: str) -> list[Child]:
    return [element("b", share), element("small", below)]


def _errors(results: RunResults) -> Markup | None:
    if not results.sets:
        return None
    before, after = results.reference, results.stages[-1]
    ends = {name: results.ends(name) for name in results.sets}
    found = {name: [results.summary(name, stage) if stage else None for stage in both] for name, both in ends.items()}
    panels, most = [], max((n for pair in found.values() for s in pair if s for n in s.errors.values()), default=1)
    for name, (old, new) in found.items():
        if new is not None:
            bars = charts.error_bars(old.errors if old else None, new.errors, most)
            at = "" if ends[name][1] == after else f" {wording.stage_label(ends[name][1])}"
            panels.append(_panel(wording.set_label(name), f"{new.count - new.right:,} wrong{at}", bars))
    note = f"Wrong answers by the first thing that is wrong, {wording.stage_label(after)}."
    keys: list[Markup] = []
    if before:
        note = "Wrong answers by the first thing that is wrong."
        keys = [_key("before", wording.stage_label(before)), _key("after", wording.stage_label(after))]
    return _section("Error kinds", note, element("div", *keys, class_="legend") if keys else None, _grid(panels))


def _tree(results: RunResults) -> Markup | None:
    tree = results.tree
    if tree is None:
        return None
    note = (
        f"Example {tree.id}, {wording.stage_label(results.tree_round)}. N visits, Q mean reward (the bar), R reward of "
        "a finished answer (O for its slots, C by self-evaluation), ✓ exactly right; the thicker a line, the more "
        "samples took it."
    )
    texts = [
        element("details", element("summary", "Prompt"), element("pre", tree.prompt)),
        element("p", "Expected  ", element("code", tree.expected), class_="expected"),
    ]
    drawing = element(
        "div", draw_tree(tree), class_="scroll canvas", tabindex="0", role="region", aria_label="Search tree"
    )
    return _section("One search tree", note, *texts, drawing, legend(), _pairs(tree))


def _pairs(tree: DrawnTree) -> Markup | None:
    if not tree.pairs:
        return None
    rows = []
    for pair in tree.pairs:
        prefix = element("code", tree.path_text(pair.parent) or "(start of the answer)", class_="prefix")
        chosen = _side(tree, pair, pair.chosen, "the ground truth's fragment")
        rows.append([prefix, chosen, _side(tree, pair, pair.rejected, "not in the tree"), wording.figure(pair.gap)])
    heads = ["After", "Chosen", "Rejected", "Gap in Q"]
    return element("div", element("h3", "Its preference pairs"), _table(heads, rows, "pairs"))


def _side(tree: DrawnTree, pair: DrawnPair, node: int | None, otherwise: str) -> Child:
    if node is None:
        return element("small", otherwise)
    role = "chosen" if node == pair.chosen else "rejected"
    return element("code", tree.nodes[node].text, class_=role)


def _training(results: RunResults) -> Markup | None:
    groups: dict[str, list[str]] = {}
    for stage in sorted(results.curves, key=lambda stage: (stage.startswith("round_"), stage.split("/")[0])):
        groups.setdefault(stage.split("/")[0], []).append(stage)
    parts: list[Markup] = []
    for group, stages in groups.items():
        trained = {stage: results.curves[stage] for stage in stages if not stage.endswith(_SEARCH)}
        searched = {stage: results.curves[stage] for stage in stages if stage.endswith(_SEARCH)}
        if panels := [*_search_panels(searched), *_training_panels(trained)]:
            parts += [element("h3", _title(wording.stage_label(group))), _grid(panels)]
    return (
        _section("Training", "Over training steps, or trees; each point is a mean over neighbouring ones.", *parts)
        if parts
        else None
    )


def _search_panels(curves: Mapping[str, Mapping[str, Points]]) -> Iterable[Markup]:
    """Mean rewards of the samples of each tree, in the order in which the trees ended."""
    for found in curves.values():
        if series := [(says, found[name]) for name, says in _REWARDS.items() if name in found]:
            yield _series_panel("rewards of the trees", series)


def _training_panels(curves: Mapping[str, Mapping[str, Points]]) -> Iterable[Markup]:
    """Panels of a warm-up or a round, whose stages follow one another in time."""
    for name, title in _METRICS.items():
        series = [
            (wording.stage_label(stage.split("/")[-1]), _in_percent(found[name]) if name == "mfu" else found[name])
            for stage, found in curves.items()
            if name in found
        ]
        if series:
            yield _panel(title, "", charts.curves(series, follow_on=True, wide_range=name in _WIDE))
    for title, metrics in _TOGETHER.items():
        if lines := [(says, points) for name, says in metrics.items() if (points := _joined(curves, name))]:
            yield _series_panel(title, lines)
    sets = dict.fromkeys(name for found in curves.values() for name in found if name.startswith("heldout/"))
    if sets:
        shares = [(wording.set_label(name.partition("/")[2]), _in_percent(_joined(curves, name))) for name in sets]
        yield _series_panel("exact match, %", shares)


def _in_percent(points: Points) -> Points:
    return tuple((step, 100 * value) for step, value in points)


def _joined(curves: Mapping[str, Mapping[str, Points]], name: str) -> Points:
    """One metric of stages that follow one another, its steps counted on."""
    joined: list[tuple[int, float]] = []
    begun = 0
    for metrics in curves.values():
        joined += [(begun + step, value) for step, value in metrics.get(name, ())]
        begun += max((points[-1][0] for points in metrics.values() if points), default=0)
    return tuple(joined)


def _series_panel(title: str, series: Sequence[tuple[str, Points]]) -> Markup:
    keys = [_key(f"line series{index % 4}", name) for index, (name, _) in enumerate(series)]
    return _panel(title, "", join((element("div", *keys, class_="legend"), charts.curves(series))))


def _data(results: RunResults) -> Markup | None:
    """Nothing where every example of the sources came through as it was."""
    counts = next((cost.summary for cost in results.costs if cost.name == _DATA), {})
    leaves = {path: count for path, count in wording.flatten(counts).items() if count}
    if not leaves.keys() - {("examples",), ("compared",)}:
        return None
    rows: list[list[Child]] = [
        [" · ".join(part.replace("_", " ") for part in path), wording.figure(count)] for path, count in leaves.items()
    ]
    return _section(
        "The training data",
        "Rows that could not be read, examples that repeat an evaluation set (data/removed.jsonl names them), and "
        "variants that augmentation made. Counted in the whole sources, before any limit.",
        _table(["Count", ""], rows),
    )


def _rounds(results: RunResults) -> Markup | None:
    if not results.stats:
        return None
    flat = {name: wording.flatten(stats) for name, stats in results.stats.items()}
    paths = dict.fromkeys(path for leaves in flat.values() for path in leaves)
    rows: list[list[Child]] = []
    for path in paths:
        *group, last = (part.replace("_", " ") for part in path)
        label = join([element("small", " · ".join(group) + " · ") if group else None, last])
        rows.append([label, *(wording.figure(leaves[path]) if path in leaves else "–" for leaves in flat.values())])
    heads = ["Count", *(_title(wording.stage_label(stage)) for stage in flat)]
    return _section(
        "What the rounds made", "What was found, kept and taken away on the way to the pairs.", _table(heads, rows)
    )


def _costs(results: RunResults) -> Markup | None:
    if not results.costs:
        return None
    total = sum(cost.seconds for cost in results.costs)
    rows: list[list[Child]] = [
        [
            _title(wording.stage_label(cost.name)),
            wording.duration(cost.seconds),
            charts.share_bar(cost.seconds / total if total else 0.0),
            element("small", wording.cost_note(cost)),
        ]
        for cost in results.costs
    ]
    rows.append([element("b", "Total"), element("b", wording.duration(total)), "", ""])
    return _section(
        "Stages and their cost",
        "Wall-clock time of the attempt that finished each stage.",
        _table(["Stage", "Time", "", "Outcome"], rows, "costs"),
    )


def _config(results: RunResults) -> Markup | None:
    if not results.config:
        return None
    rows: list[list[Child]] = [
        [element("code", ".".join(path)), element("code", wording.figure(value))]
        for path, value in wording.flatten(results.config).items()
    ]
    listing = element("details", element("summary", f"{len(rows)} keys"), _table(["Key", "Value"], rows, "config"))
    return _section("Config", "", listing)


def _summaries(results: RunResults, name: str) -> dict:
    return {stage: result.summary for stage, result in results.sets[name].items()}


def _changes(results: RunResults, name: str, before: str | None, stages: Sequence[str]) -> dict[str, Change]:
    found = {stage: results.change(name, before, stage) for stage in stages} if before else {}
    return {stage: change for stage, change in found.items() if change is not None}


def _count(results: RunResults, name: str) -> str:
    summaries = _summaries(results, name).values()
    skipped = max(summary.skipped_too_long for summary in summaries)
    left_out = f", {skipped:,} too long" if skipped else ""
    return f"{max(summary.count for summary in summaries):,} examples{left_out}"


def _named(stage: str | None) -> str:
    return {"base": "the base model", "warmup": "the warm-up"}.get(stage or "", wording.stage_label(stage or ""))


def _section(title: str, note: str, *content: Child) -> Markup:
    return element("section", element("h2", title), element("p", note, class_="note") if note else None, *content)


def _grid(panels: Sequence[Markup]) -> Markup:
    return element("div", *panels, class_="grid")


def _panel(title: str, says: str, chart: Markup) -> Markup:
    caption = element("figcaption", element("b", _title(title)), element("span", says) if says else None)
    return element("figure", caption, chart)


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _key(class_: str, says: str) -> Markup:
    return element("span", element("i", class_=f"key {class_}"), says)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Child]], class_: str = "") -> Markup:
    head = element("thead", element("tr", *(element("th", text, scope="col") for text in heads)))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    table = element("table", head, element("tbody", *body), class_=class_ or None)
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=heads[0])

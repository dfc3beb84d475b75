"""Run directories with made-up figures and trees, as the report reads them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import zstandard

from itool_jax.evaluation import Graded, write_evaluation

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
    (run / "manifest.json").write_text(json.dumps({"version": 2, "stages": manifest}))
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
        for step in range(1, 1126) if stage.startswith("round") else ():
            found = {"reward": 0.6 + 0.1 * chance.random(), "score": 0.5 + 0.1 * chance.random(), "pairs": 1}
            rows.append({"stage": f"{stage}/search", "step": step, "time": 0.0, **found, "self_evaluation": 0.3})
        for step in range(1, 114) if stage.startswith("round") else ():
            row = {
                "loss": 1.1 - 0.005 * step + 0.1 * chance.random(),
                "accuracy": 0.7 + 0.002 * step,
                "margin": 0.01 * step,
            }
            row |= {"chosen_logprob": -0.7 - 0.001 * step, "rejected_logprob": -1.1 - 0.01 * step}
            row |= {"anchor_logprob": -0.6 + 0.001 * step, "kl": 1e-4 * step, "out_of_clip": 0.001 * step}
            row |= {"chosen_drift": 0.001 * step, "rejected_drift": -0.01 * step, "grad_norm": 3.0 / step}
            row |= {"tokens_per_s": 41_000.0, "mfu": 0.41 + 0.0001 * step, "memory_gib": 60.0, "peak_memory_gib": 71.5}
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
        "rewards": {"mean_reward": 0.61, "mean_score": 0.55, "mean_self_evaluation": 0.3},
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
        leaf(9, 8, ' check_weather(city="Trondheim", day="tomorrow evening")]', 6, 1.0)
        | {"score": 0.875, "self_evaluation": 0.125},
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

"""write_html: the report as one HTML file that loads nothing and runs no script."""

from __future__ import annotations

import os
from importlib.resources import files as package_files

from etils import epath

from itool_jax import files
from itool_jax.evaluation.report import sections, wording
from itool_jax.evaluation.report.markup import Markup, element, join, raw_text_element
from itool_jax.evaluation.report.results import RunResults

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write_html(results: RunResults, path: str | os.PathLike[str]) -> None:
    """Writes the page by way of a temporary name; the same results give the same bytes."""
    files.write_atomic(epath.Path(path), html_page(results).encode())


def html_page(results: RunResults) -> str:
    """The page's text; what the run has not got to has no section."""
    style = package_files("itool_jax.evaluation.report").joinpath("page.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{results.name} · itool-jax"),
        raw_text_element("style", style),
    )
    body = element("body", element("main", _header(results), *sections.all_sections(results)))
    return "<!doctype html>\n" + element("html", join((head, body), "\n"), lang="en") + "\n"


def _header(results: RunResults) -> Markup:
    return element(
        "header",
        element("p", "itool-jax report", class_="eyebrow"),
        element("h1", results.name),
        element("p", wording.verdict(results), class_="verdict"),
        element("p", _facts(results), class_="facts"),
    )


def _facts(results: RunResults) -> str:
    leaves = {".".join(path): value for path, value in wording.flatten(results.config).items()}
    model = "model.preset" if leaves.get("model.preset") else "model.checkpoint"
    named = (("model", model), ("data", "data.source"), ("loss", "round.prefer.loss"), ("seed", "seed"))
    facts = [f"{name} {wording.figure(leaves[key])}" for name, key in named if key in leaves]
    if results.costs:
        facts.append(f"{wording.duration(sum(cost.seconds for cost in results.costs))} in {len(results.costs)} stages")
    return " · ".join(facts)

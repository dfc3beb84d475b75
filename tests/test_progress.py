"""Progress: quiet where nobody watches, a bar with done, left and speed where somebody does."""

import io
import re
import time

import pytest
from rich.console import Console

from itool_jax.progress import progress


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=200, color_system=None)


def test_without_a_terminal_there_is_one_line_before_and_one_after():
    screen = console(terminal=False)
    with progress("Searching", total=3, unit="trees", cost="about 2 minutes", console=screen) as bar:
        for i in range(3):
            bar.advance(1, reward=0.25 * i, kind="hard")
    first, last = screen.file.getvalue().splitlines()
    assert first == "Searching: 3 trees, about 2 minutes"
    assert re.fullmatch(r"Searching: done, 3 trees in [\d.]+ s, [\d.,e+]+ trees/s; reward=0\.5 kind=hard", last)


def test_a_stage_that_stops_says_how_far_it_came():
    screen = console(terminal=False)
    with pytest.raises(KeyboardInterrupt), progress("Training", total=10, console=screen) as bar:
        bar.advance(4)
        raise KeyboardInterrupt
    assert "Training: stopped after 4 of 10 steps" in screen.file.getvalue()


def test_what_was_done_before_counts_but_not_in_the_speed():
    screen = console(terminal=False)
    with progress("Searching", total=1_000_000, unit="trees", done=999_999, console=screen) as bar:
        time.sleep(0.1)
        bar.advance(1)
    first, last = screen.file.getvalue().splitlines()
    assert first == "Searching: 1,000,000 trees of which 999,999 are done"
    assert 1 < float(re.search(r", ([\d.]+) trees/s", last)[1]) <= 10


def test_on_a_terminal_there_is_a_bar():
    screen = console(terminal=True)
    with progress("Searching", total=4, unit="trees", console=screen) as bar:
        bar.advance(3, reward=0.5)
    shown = screen.file.getvalue()
    assert "3/4 trees, 1 left" in shown and "reward=0.5" in shown and "trees/s" in shown and "to go" in shown

"""A process that is asked to stop in the middle of a fit: it saves, says so, and goes on to the same bits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from itool_jax.stopping import SIGNALS, Stopped, StopRequest, stopped_by_signals
from itool_jax.training.checkpoints import load_policy

SCRIPT = Path(__file__).with_name("fit_in_processes.py")


class Fits:
    """The script as so many processes that train together."""

    def __init__(self, folder: Path, processes: int = 1):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            address = f"localhost:{free.getsockname()[1]}"
        environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
        self.running = [
            subprocess.Popen(
                [sys.executable, str(SCRIPT), address, str(processes), str(number), str(folder)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for number in range(processes)
        ]

    def until(self, line: str) -> None:
        assert any(found.strip() == line for found in iter(self.running[0].stdout.readline, ""))  # pyright: ignore

    def end(self) -> list[tuple[int, str, str]]:
        """Status, stdout from here on and stderr of each."""
        try:
            said = [process.communicate(timeout=300) for process in self.running]
        finally:
            for process in self.running:
                process.kill()
        return [(process.returncode, *texts) for process, texts in zip(self.running, said, strict=True)]


def finished(folder: Path, processes: int = 1):
    for status, _, errors in Fits(folder, processes).end():
        assert status == 0, errors
    return load_policy(folder / "final").params


def stopped(folder: Path, number: signal.Signals, processes: int = 1) -> int:
    """Has the first process stop in the middle; returns the step whose state all have saved."""
    fits = Fits(folder, processes)
    fits.until("STEP 10")
    fits.running[0].send_signal(number)
    for status, said, errors in fits.end():
        assert status == 75 and f"STOPPED by {number.name}" in said.replace("SIGTERM", number.name), errors
    return max(int(path.name) for path in (folder / "states").iterdir() if path.name.isdigit())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_fit_that_is_told_to_stop_saves_and_goes_on_to_the_same_bits(uninterrupted, tmp_path, number):
    saved = stopped(tmp_path, number)
    assert 10 < saved < 14  # at once, not where the next state was due
    fits = Fits(tmp_path)
    ((status, said, errors),) = fits.end()
    assert status == 0, errors
    assert said.split("\n")[0] == f"STEP {saved + 1}"
    jax.tree.map(np.testing.assert_array_equal, load_policy(tmp_path / "final").params, uninterrupted)


@pytest.mark.slow
def test_where_one_process_is_told_to_stop_all_save_the_same_step(tmp_path):
    whole = finished(tmp_path / "whole", processes=2)
    assert stopped(tmp_path / "parts", signal.SIGTERM, processes=2) > 10  # JAX looks for a notice once a second
    jax.tree.map(np.testing.assert_array_equal, finished(tmp_path / "parts", processes=2), whole)


@pytest.mark.parametrize("number", SIGNALS)
def test_elsewhere_a_signal_stops_at_once_and_a_second_one_does_not_disturb(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    tidied = False
    with pytest.raises(Stopped, match=number.name), stopped_by_signals():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGTERM)
            tidied = True
    assert tidied and [signal.getsignal(each) for each in SIGNALS] == before


def test_a_request_is_granted_when_asked_for_and_never_lost():
    with stopped_by_signals():
        outer = signal.getsignal(signal.SIGTERM)
        with pytest.raises(Stopped, match="SIGUSR1"), StopRequest() as stop:
            assert stop.reached() == ""
            signal.raise_signal(signal.SIGUSR1)
            assert stop.reached() == "SIGUSR1"
            with pytest.raises(Stopped), stop.raising(""):
                pytest.fail("a signal that was noted before raises first")
        assert signal.getsignal(signal.SIGTERM) == outer  # and nobody asked after the last step: told at the end
        with pytest.raises(Stopped, match="SIGTERM"), StopRequest() as stop, stop.raising(stop.reached()):
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("in here it raises")

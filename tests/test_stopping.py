"""A process that is asked to stop in the middle of a fit: it saves, says so, and goes on to the same bits."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.stopping import SIGNALS, Stopped, StopRequest, stopped_by_signals
from itool_jax.training.checkpoints import Progress, TrainingCheckpoints, load_policy
from tests.test_mesh import assert_close

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


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)])
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


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_other_numbers_of_processes_go_on_from_a_state(uninterrupted, tmp_path, before, after):
    assert stopped(tmp_path, signal.SIGTERM, processes=before) > 10
    assert_close(finished(tmp_path, processes=after), uninterrupted, 1e-3)  # Adam amplifies where gradients vanish


class PreemptionService:
    """As JAX's C++ PreemptionSyncManager of one process: at a notice it names the step after the last one asked for."""

    def __init__(self, notice_after: int):
        self._notice_after, self._asked, self._named = notice_after, 0, None

    def reached(self, step: int) -> bool:
        here = step == self._named
        self._asked += 1
        if self._asked == self._notice_after:
            self._named = step + 1
        return here


@pytest.mark.parametrize("notice_after", range(1, 8))
def test_a_notice_reaches_training_whenever_it_comes_between_its_saves(monkeypatch, tmp_path, notice_after):
    """Orbax's manager would ask too, at every save and when it has ended, and by the steps of training."""
    service = PreemptionService(notice_after)
    monkeypatch.setattr("jax.experimental.multihost_utils.reached_preemption_sync_point", service.reached)
    monkeypatch.setattr("itool_jax.stopping._distributed", lambda: True)
    monkeypatch.setattr(StopRequest, "_asked", itertools.count(40))  # other stages have asked before
    checkpoints = TrainingCheckpoints(tmp_path)
    with StopRequest() as stop:
        for step in range(1, 12):
            if stop.reached():
                break
            if step % 2:
                checkpoints.save(step, {"weights": jnp.zeros(3)}, Progress())
        else:
            pytest.fail("the notice was lost")
    checkpoints.close()
    assert step == notice_after + 1


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

"""Trees that grow in several processes are those that grow in one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("grow_in_processes.py")


def grown(processes: int, devices: int) -> list[dict[str, list]]:
    """What each process has grown, in mesh data x 2 x 2 over all their devices."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    commands = [[sys.executable, str(SCRIPT), address, str(processes), str(n), str(devices)] for n in range(processes)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        printed = [process.communicate(timeout=300)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * processes
    return [json.loads(text.split("TREES ")[-1]) for text in printed]


def test_two_processes_grow_the_trees_of_one():
    (alone,) = grown(1, 4)
    two = grown(2, 2)
    assert [sorted(map(int, trees)) for trees in two] == [[0, 2, 4, 6], [1, 3, 5]]
    assert {**two[0], **two[1]} == alone

"""Ctrl-C: exit status 130, and what was finished stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from helpers.configurations import TRAIN, sdgnn

from sdgnn.dynamics import open_trajectory


def interrupted(arguments: list[str], started: Path) -> tuple[int, str]:
    """Exit status and messages of a real process that gets Ctrl-C once the file ``started`` is there."""
    command = [sys.executable, "-m", "sdgnn", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 100
    while not started.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    return process.returncode, messages


def test_ctrl_c_ends_a_simulation_with_130_and_loses_nothing(folder: Path) -> None:
    arguments = ["simulate", "quench.yaml", "steps=200000", "observe.spins=100000", "observe.energy=1000"]
    status, messages = interrupted(arguments, folder / "quench/trajectory.zarr/energy/c")
    assert status == 130, messages
    assert "--resume" in messages
    assert "Traceback" not in messages
    assert len(open_trajectory(folder / "quench")["energy"]) >= 1


def test_ctrl_c_ends_a_training_with_130_and_loses_nothing(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    (folder / "train.yaml").write_text(TRAIN)
    last = folder / "model/checkpoints/last.safetensors"
    status, messages = interrupted(["train", "train.yaml", "training.epochs=100000"], last)
    assert status == 130, messages
    assert "--resume" in messages
    assert "Traceback" not in messages
    assert last.exists()

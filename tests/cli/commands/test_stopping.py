"""Signals that end a command, and streams that do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sdgnn.cli.commands.stopping import stoppable
from sdgnn.common.errors import Terminated
from sdgnn.common.streams import Lasting

QUENCH = """
# ħ/t, in a locale that knows no such letters
lattice: {type: square, size: [4, 4]}
field: {heisenberg: [1.0]}
integrator: {dt: 0.02, damping: 0.3, kT: 0.1}
steps: 3
output: quench
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_signals_are_heard_unless_they_were_ignored_before(number: signal.Signals) -> None:
    """nohup starts a command with SIGHUP ignored; a terminal that closes ends it otherwise."""
    before = signal.getsignal(number)
    with pytest.raises(Terminated, match=f"ended by {number.name}"), stoppable():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    signal.signal(number, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)


def test_a_stream_that_takes_nothing_ends_nothing() -> None:
    with suppress(OSError), open("/dev/full", "w") as full:  # closing fails as well
        stream = Lasting(full)
        assert stream.write("lost") == 4
        stream.flush()
        assert not stream.isatty()


def test_a_run_ends_well_without_standard_error_in_a_plain_locale(tmp_path: Path) -> None:
    (tmp_path / "quench.yaml").write_text(QUENCH, encoding="utf-8")
    command = f"exec {sys.executable} -m sdgnn simulate quench.yaml 2>&- >/dev/full"
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=plain).returncode == 0
    assert (tmp_path / "quench" / "trajectory.zarr").exists()

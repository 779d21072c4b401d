"""Small configurations of each command, and the command line in this process."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from sdgnn.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"

LABELS = """
lattice: {type: triangular, size: [3, 3]}
electrons: {kT: 0.1, filling: 0.25}
protocols:
  - {protocol: random, states: 6}
workers: 0
seed: 3
output: labels
"""

QUENCH = """
lattice: {type: triangular, size: [6, 6]}
field: {heisenberg: [1.0]}
integrator: {dt: 0.02, damping: 0.3, kT: 0.1}
steps: 60
replicas: 2
observe: {spins: 20, energy: 10, chirality: 10}
checkpoint_every: 20
output: quench
"""

TRAIN = """
data: [labels/labels.h5]
validation: 0.3
network: {cutoff: 2, moments: 9, hidden: 4}
training: {epochs: 2}
output: model
"""


def sdgnn(*arguments: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(app, list(arguments))

"""The package simulates without its optional dependencies, and names what is missing where one is needed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from sdgnn.common.extras import MODULES

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {"imageio_ffmpeg": "imageio-ffmpeg", "torch_geometric": "torch-geometric"}
"""Names under which modules are installed, where they differ."""

BEFORE = """
import sys
sys.modules.update(dict.fromkeys(ABSENT))  # the import of each is a ModuleNotFoundError
"""
SIMULATE = """
import sdgnn
from pathlib import Path
from sdgnn.cli.app import main

lattice = sdgnn.Lattice.triangular(6, 6)
model = sdgnn.SDModel(lattice, exchange=3.0)
spins = sdgnn.spins.random(lattice, replicas=2, seed=0)
exact = sdgnn.ExactField(model, kT=0.1, filling=0.25)
near = sdgnn.load("universal").on(model, kT=0.1, filling=0.25)(spins)
assert (near.field - exact(spins).field).square().mean() < 0.1 * near.field.square().mean()
Path("quench.yaml").write_text('''
lattice: {type: triangular, size: [6, 6]}
field: {electrons: {kT: 0.1, filling: 0.25, hamiltonian: {exchange: 3}}}
integrator: {dt: 0.1, damping: 0.1}
steps: 20
output: run
''')
sys.argv = ["sdgnn", "simulate", "quench.yaml"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
trajectory = sdgnn.open_trajectory("run")
assert trajectory.sizes["replica"] == 1
"""
TRAIN = """
class Kept(dict):
    def log_hyperparams(self, params):
        pass

    def log_metrics(self, metrics, step=None):
        self.update(metrics)

labels, kept = sdgnn.data.label(exact, spins), Kept()
untrained = sdgnn.nn.create(sdgnn.nn.NetworkSettings(cutoff=2, moments=9, hidden=4), lattice)
sdgnn.train.fit(untrained, [labels], [labels], sdgnn.train.TrainSettings(epochs=1), "model", logger=kept)
assert "validation/torque_r2" in kept and not Path("model/tensorboard").exists()
"""
REFUSED = """
from sdgnn import interchange
from sdgnn.data.workers import run_tasks

for call in (
    lambda: sdgnn.nn.create(sdgnn.nn.EquivariantSettings(), lattice),
    lambda: sdgnn.nn.create(sdgnn.nn.settings.DistancesSettings(), lattice),
    lambda: lattice.graph(1.5),
    lambda: list(run_tasks([None], None, 1, "tcp://127.0.0.1:1")),
    lambda: interchange.movie(trajectory, "run.mp4"),
    lambda: interchange.write_netcdf(trajectory, "run.nc"),
):
    try:
        call()
    except sdgnn.common.errors.UserError as error:
        print(error)
assert {path.name for path in Path().iterdir()} == {"quench.yaml", "run", "model"}
"""


def test_extras_are_those_of_pyproject() -> None:
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, modules in MODULES.items():
        assert {DISTRIBUTIONS.get(module, module) for module in modules} == {
            requirement.split(">")[0] for requirement in optional[extra]
        }


def test_simulates_and_trains_without_any_and_names_what_is_missing(tmp_path: Path) -> None:
    absent = sorted({module for modules in MODULES.values() for module in modules})
    code = f"ABSENT = {absent}\n{BEFORE}{SIMULATE}{TRAIN}{REFUSED}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for extra in MODULES.keys() - {"train"}:
        assert f"pip install 'sdgnn[{extra}]'" in done.stdout

"""The command line: help that teaches, one clear message for every mistake, folders that can be resumed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray
from typer.main import get_command
from typer.testing import CliRunner, Result

from sdgnn import ExactField, Lattice, SDModel
from sdgnn.analysis.observers import NAMES, RUN
from sdgnn.cli.app import app
from sdgnn.cli.config.commands import OBSERVERS
from sdgnn.cli.config.index import COMMANDS as CONFIG_OF
from sdgnn.common.errors import UserError
from sdgnn.data import read
from sdgnn.dynamics import open_trajectory
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, load
from sdgnn.train import judge

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
COMMANDS = (*CONFIG_OF, "export")

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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with labels.yaml and quench.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.yaml").write_text(LABELS)
    (tmp_path / "quench.yaml").write_text(QUENCH)
    return tmp_path


def test_help_lists_the_commands() -> None:
    """In the frame of the commands alone; what is said above names some of them too."""
    result = sdgnn("--help")
    assert result.exit_code == 0
    _, _, listed = result.output.partition("Commands")
    assert set(re.findall(r"^\W*([a-z]+) {2,}[A-Z]", listed, re.MULTILINE)) == {c.partition(" ")[0] for c in COMMANDS}


PLACES = {
    "train": lambda path: {"data": [path]},
    "simulate": lambda path: {"field": {"model": path}},
    "analyze": lambda path: {"trajectory": path},
}
"""Where a path that stands in place of a configuration belongs."""


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_each_command_can_be_run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and keys of every example in the help are there; "..." stands for those of the example before."""
    monkeypatch.chdir(ROOT)
    node = get_command(app)
    for part in command.split():
        node = node.commands[part]
    assert node.help is not None and node.help.split("\n")[0] in " ".join(
        sdgnn(*command.split(), "--help").output.split()
    )
    examples = re.findall(rf"^ *sdgnn {command}\b(.*?)(?: {{2,}}.*)?$", node.help, re.MULTILINE)
    assert examples
    if command == "export":  # of results, which are made first
        return
    config = None
    for example in examples:
        words = [word for word in shlex.split(example) if not word.startswith("--")]
        if words[:1] == ["results/triangular/model"]:  # a model and labels in place of a file
            continue
        if command == "demo":
            words.insert(0, "configs/demo.yaml")
        if words[0] != "...":
            config = words[0]
        assert config is not None
        if config.endswith(".yaml"):
            CONFIG_OF[command].load(config, words[1:])
        else:
            CONFIG_OF[command].parse(PLACES[command](config), words[1:], source=config)


@pytest.mark.parametrize("command", ["generate", "simulate", "nonsense"])
def test_missing_file_or_command_is_the_users_fault(folder: Path, command: str) -> None:
    result = sdgnn(command, "labls.yaml")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_missing_file_is_named_with_the_nearest(folder: Path) -> None:
    result = sdgnn("generate", "labls.yaml")
    assert result.exit_code == 2
    assert "no file labls.yaml; did you mean labels.yaml?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "labels.yaml", "electrons.kt=1"], ["unknown key electrons.kt", "electrons.kT"]),
        (["generate", "labels.yaml", "electrons.filling=1.5"], ["electrons.filling = 1.5"]),
        (["generate", "labels.yaml", "protocols.0.protocol=randm"], ["did you mean 'random'"]),
        (["generate", "labels.yaml", "protocols.0.sates=3"], ["'sates' in protocol random"]),
        (["generate", "labels.yaml", "lattice.size=[3]"], ["size [3] of a triangular lattice"]),
        (["simulate", "quench.yaml", "observe.chiralty=3"], ["unknown observer chiralty", "did you mean 'chirality'?"]),
        (["simulate", "quench.yaml", "field.heisenberg=null"], ["no field"]),
        (
            ["simulate", "quench.yaml", "initial.state=tetrahedral", "initial.options.charility=1"],
            ["mean 'chirality'?"],
        ),
        (["simulate", "quench.yaml", "initial.state=neel"], ["Neel", "bipartite"]),
        (["analyze", "quench.yaml"], ["unknown key lattice", "trajectory is missing"]),
    ],
)
def test_mistakes_are_explained_and_leave_nothing_behind(folder: Path, arguments: list[str], words: list[str]) -> None:
    result = sdgnn(*arguments)
    assert result.exit_code == 2
    for word in words:
        assert word in " ".join(result.stderr.split())
    assert sorted(p.name for p in folder.iterdir()) == ["labels.yaml", "quench.yaml"]


MISTAKES = """
import sys
from sdgnn.cli.app import app
for command in sys.argv[2:]:
    assert app([*command.split(), sys.argv[1]], standalone_mode=False) == 2
print([name for name in ("torch", "h5py", "zarr", "xarray", "numba", "distributed") if name in sys.modules])
"""


def test_mistakes_are_told_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """Python, pydantic and numpy take a third of a second, torch alone two; each command refuses the unknown key."""
    (tmp_path / "some.yaml").write_text("typo: 1\n")
    words = [sys.executable, "-c", MISTAKES, str(tmp_path / "some.yaml"), *CONFIG_OF]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.count("unknown key typo") == len(CONFIG_OF), done.stderr + done.stdout
    assert done.stdout == "[]\n", done.stdout


def test_names_of_observers_are_those_of_the_code() -> None:
    assert (*NAMES, *RUN) == OBSERVERS


def test_models_and_labels_are_named_without_a_file(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    keys = ["network={cutoff: 2, moments: 9, hidden: 4}", "training.epochs=1", "validation=1/3", "output=trained"]
    result = sdgnn("train", "labels/labels.h5", *keys)
    assert result.exit_code == 0, result.output
    result = sdgnn("simulate", "trained", "lattice.size=[6,6]", "steps=3", "integrator.dt=0.1", "output=run")
    assert result.exit_code == 0, result.output
    assert open_trajectory(folder / "run").attrs["lattice"]
    for words, told in (
        (["train", "output=x"], "allowed: CONFIG.yaml or LABELS..."),
        (["simulate", "trained", "other", "steps=3"], "allowed: CONFIG.yaml or MODEL"),
        (["simulate", "trained", "lattice.size=[6,6]"], "steps is missing"),
        (["simulate", "nowhere", "lattice.size=[6,6]", "steps=3"], "no model at nowhere"),
        (["train", "nowhere.h5"], "nowhere.h5"),
    ):
        result = sdgnn(*words)
        assert result.exit_code == 2 and told in " ".join(result.stderr.split()), result.output


def test_a_run_that_was_moved_goes_on_by_its_own_configuration(folder: Path) -> None:
    assert sdgnn("simulate", "quench.yaml", "steps=40").exit_code == 0
    (folder / "quench").rename(folder / "moved")
    result = sdgnn("simulate", "moved/config.yaml", "steps=60", "--resume")
    assert result.exit_code == 0, result.output
    assert not (folder / "quench").exists()
    assert sdgnn("simulate", "quench.yaml", "output=whole").exit_code == 0
    assert open_trajectory(folder / "moved").identical(open_trajectory(folder / "whole"))


def test_simulate_says_what_it_will_take_and_refuses_what_cannot_fit(folder: Path) -> None:
    refused = sdgnn("simulate", "quench.yaml", "memory=0.1")
    assert refused.exit_code == 2
    assert "memory = 0.1 for 2 replica(s) of 36 sites" in refused.stderr
    assert not (folder / "quench").exists()
    result = sdgnn("simulate", "quench.yaml", "memory=4")
    assert result.exit_code == 0
    assert "expected: " in result.stderr and "for 60 steps" in result.stderr


def test_generate_writes_the_labels_it_was_asked_for(folder: Path) -> None:
    result = sdgnn("generate", "labels.yaml", "electrons.kT=0.2", "protocols.0.states=4")
    assert result.exit_code == 0, result.output
    labels = read(folder / "labels/labels.h5")
    exact = ExactField(SDModel(Lattice.triangular(3, 3)), kT=0.2, filling=0.25)(labels.spins)
    assert len(labels) == 4
    assert (exact.field - labels.field).abs().max() < 1e-10
    assert (folder / "labels/config.yaml").exists()
    assert json.loads((folder / "labels/provenance.json").read_text())["starts"][0]["sdgnn"]


def test_the_saved_config_repeats_the_run(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml", "seed=5").exit_code == 0
    assert sdgnn("generate", "labels/config.yaml", "output=again").exit_code == 0
    first, second = (read(folder / name / "labels.h5") for name in ("labels", "again"))
    assert first.content_hash == second.content_hash
    assert sdgnn("generate", "labels.yaml", "seed=6", "output=other").exit_code == 0
    assert read(folder / "other/labels.h5").content_hash != first.content_hash


def test_a_folder_with_results_is_never_overwritten(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    before = (folder / "labels/labels.h5").read_bytes()
    result = sdgnn("generate", "labels.yaml", "seed=9")
    assert result.exit_code == 2
    assert "already holds" in result.stderr
    result = sdgnn("generate", "labels.yaml", "seed=9", "--resume")
    assert result.exit_code == 2
    assert "another seed" in result.stderr
    assert (folder / "labels/labels.h5").read_bytes() == before


def test_without_output_each_run_has_its_own_folder(folder: Path) -> None:
    for _ in range(2):
        assert sdgnn("generate", "labels.yaml", "output=null").exit_code == 0
    assert len(list((folder / "results").glob("generate-*/labels.h5"))) == 2


def test_simulate_and_analyze(folder: Path) -> None:
    result = sdgnn("simulate", "quench.yaml")
    assert result.exit_code == 0, result.output
    trajectory = open_trajectory(folder / "quench")
    assert trajectory["chirality"].shape == (7, 2)
    assert sdgnn("analyze", "nothing.yaml").exit_code == 2
    (folder / "analyze.yaml").write_text("trajectory: quench\noutput: analysis\norder: [[0.5, 0.0]]\n")
    result = sdgnn("analyze", "analyze.yaml")
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "analysis/analysis.json").read_text())
    assert found["chirality"]["mean"] == pytest.approx(trajectory["chirality"].mean("replica").values.tolist())
    assert "spin_domain_length" in found
    result = sdgnn("analyze", "analyze.yaml", "domains={window: [0.05, 10]}", "output=c")
    assert result.exit_code == 0, result.output
    growth = json.loads((folder / "c/analysis.json").read_text())["growth"]
    assert set(growth) == {"correlation", "moment", "walls", "clusters", "routes", "collapse", "map"}
    with xarray.open_dataset(folder / "c/domains.nc", engine="scipy") as domains:
        assert domains["exponent"].sel(route="walls").item() == pytest.approx(growth["walls"]["exponent"])
    assert "Growth of domains" in (folder / "c/report.html").read_text()
    assert sdgnn("simulate", "quench.yaml", "observe={spins: 5}", "output=often").exit_code == 0
    keys = ["trajectory=often", "spectrum={path: [[0, 0], [0.5, 0]], segment: 8}", "output=e"]
    result = sdgnn("analyze", "analyze.yaml", *keys)
    assert result.exit_code == 0, result.output
    with xarray.open_dataset(folder / "e/spectrum.nc", engine="scipy") as spectrum:
        assert spectrum["S"].shape == (2, 4, 8, 3) and spectrum.attrs["segments"] == 2
    assert "Dynamics" in (folder / "e/report.html").read_text()
    electrons = "electrons={kT: 0.2, filling: 0.25, hamiltonian: {exchange: 3.0}, every: 2}"
    assert sdgnn("simulate", "quench.yaml", "seed=9", "output=other").exit_code == 0
    result = sdgnn("analyze", "analyze.yaml", electrons, "against=other", "output=f")
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "f/analysis.json").read_text())
    with xarray.open_dataset(folder / "f/density.nc", engine="scipy") as density:
        assert density["density"].shape == (2, 2, 36)
        assert "heisenberg" in density.attrs["run"] and "commit" in density.attrs["provenance"]
        spread = density["density_spread"].mean("replica").values
    assert found["electrons"]["density_spread"]["mean"] == pytest.approx(spread.tolist())
    with xarray.open_dataset(folder / "f/agreement.nc", engine="scipy") as together:
        assert found["agreement"]["energy"]["rms"] == pytest.approx(together.attrs["energy_rms"])
        assert "energy" in together.attrs["quantities"].split()
    page = (folder / "f/report.html").read_text()
    assert "Electrons" in page and "quench against other" in page
    result = sdgnn("analyze", "analyze.yaml", "against=nowhere", "output=g")
    assert result.exit_code == 2 and "no trajectory in nowhere" in result.stderr
    result = sdgnn("analyze", "analyze.yaml", "domains={window: [10, 1]}", "output=d")
    assert result.exit_code == 2 and "0 < first < last" in result.stderr
    result = sdgnn("analyze", "analyze.yaml", "trajectory=elsewhere", "output=b")
    assert result.exit_code == 2
    assert "no trajectory in elsewhere" in result.stderr


def test_a_resumed_simulation_is_the_uninterrupted_one(folder: Path) -> None:
    assert sdgnn("simulate", "quench.yaml", "output=whole").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", "output=part", "steps=25").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", "output=part", "--resume").exit_code == 0
    whole, part = open_trajectory(folder / "whole"), open_trajectory(folder / "part")
    assert whole.identical(part)


def test_a_too_large_step_is_said_once(folder: Path) -> None:
    """And the run goes on; the step that is used without dt is none where there is damping; without, energy drifts."""
    rough = ["simulate", "quench.yaml", "integrator.kT=0.0", "steps=130"]
    result = sdgnn(*rough, "integrator.damping=0.0", "integrator.dt=0.5", "output=rough")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("warning: dt = 0.5 is too large at step 0") == 1
    assert "suggest_dt" in result.stderr and ".py" not in result.stderr
    assert "warning" not in sdgnn(*rough, "integrator.dt=null", "output=fine").stderr
    result = sdgnn(*rough, "integrator.damping=0.0", "integrator.dt=null", "output=drifting")
    assert result.stderr.count("warning: without damping the energy of a run is conserved") == 1
    assert "scheme implicit-midpoint" in result.stderr


def test_simulate_without_bath_in_adaptive_steps(folder: Path) -> None:
    """With the spins' own temperature observed, which falls while the spins relax."""
    adaptive = ["integrator.scheme=dormand-prince", "integrator.dt=0.5", "observe.spin_temperature=20"]
    result = sdgnn("simulate", "quench.yaml", *adaptive)
    assert result.exit_code == 2 and "allowed: kT = 0" in result.stderr
    result = sdgnn("simulate", "quench.yaml", *adaptive, "integrator.kT=0.0", "integrator.tolerance=1e-4")
    assert result.exit_code == 0, result.output
    measured = open_trajectory(folder / "quench")["spin_temperature"].values
    assert measured.shape == (4, 2) and (measured[-1] < 0.1).all() and (measured[-1] > 0).all()
    result = sdgnn("simulate", "quench.yaml", "integrator.tolerance=1e-4", "output=other")
    assert result.exit_code == 2 and "tolerance of scheme depondt-mertens" in result.stderr


def test_protocols_from_a_configuration(folder: Path) -> None:
    """A quench of the bath and a pulsed field, resumed in the middle, then means in equilibrium."""
    protocol = [
        "integrator.kT={kind: quench, before: 0.5, after: [0.1, 0.2], at: 0.6}", "field.zeeman=[0, 0, 1]",
        "field.zeeman_schedule={kind: pulse, peak: 2, centre: 0.6, width: 0.1}", "observe.bath_temperature=10",
        "observe.external_field=10",
    ]  # fmt: skip
    assert sdgnn("simulate", "quench.yaml", *protocol, "output=whole").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", *protocol, "output=part", "steps=33").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", *protocol, "output=part", "--resume").exit_code == 0
    whole = open_trajectory(folder / "whole")
    assert whole.identical(open_trajectory(folder / "part"))
    assert whole["bath_temperature"].values[-1].tolist() == [0.1, 0.2]
    assert float(whole["external_field"][3, 0, 2]) == pytest.approx(2.0)
    (folder / "analyze.yaml").write_text("trajectory: whole\noutput: analysis\ndiscard: 0.5\n")
    result = sdgnn("analyze", "analyze.yaml")
    assert result.exit_code == 0, result.output
    assert "its error is a guess" in result.stderr
    found = json.loads((folder / "analysis/analysis.json").read_text())["equilibrium"]
    assert found["energy_mean"] == pytest.approx(whole["energy"][4:].mean("time").values.tolist())
    for words, wrong in (
        ("zeeman_schedule without zeeman", "field.zeeman_schedule={kind: pulse, peak: 2, centre: 0.6, width: 0.1}"),
        ("integrator.kT", "integrator.kT={kind: quench, before: 0.5, aftr: 0.1, at: 1}"),
        ("dt and damping of scheme monte-carlo", "integrator.scheme=monte-carlo"),
    ):
        result = sdgnn("simulate", "quench.yaml", wrong, "output=none")
        assert result.exit_code == 2 and words in " ".join(result.stderr.split())
    monte_carlo = ["integrator={scheme: monte-carlo, kT: 0.5, overrelaxation: 1}", "output=sampled"]
    assert sdgnn("simulate", "quench.yaml", *monte_carlo).exit_code == 0
    assert open_trajectory(folder / "sampled")["time"].values[-1] == 60


def test_keys_are_documented() -> None:
    result = sdgnn("simulate", "--keys")
    assert result.exit_code == 0
    assert "integrator.damping: number or list of number\n    Gilbert damping alpha, 0.1 by default" in result.output
    assert "field.dmi.kind: bloch | neel, default bloch" in result.output


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONFIGS)))
def test_shipped_configurations_are_valid(path: Path) -> None:
    """Each says at its head which command takes it."""
    said = re.search(rf"^#     sdgnn (\D*?) {re.escape(str(path.relative_to(ROOT)))}", path.read_text(), re.MULTILINE)
    assert said
    CONFIG_OF[said[1]].load(path)


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


def test_starts_within_three_seconds() -> None:
    """The processor time of ``sdgnn --help``, which does not depend on what else the machine is doing."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "sdgnn", "--help"], check=True, capture_output=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 3


def test_train_and_evaluate(folder: Path) -> None:
    (folder / "train.yaml").write_text(TRAIN)
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    result = sdgnn("train", "train.yaml", "training.epocks=2")
    assert result.exit_code == 2
    assert "did you mean training.epochs?" in result.stderr
    result = sdgnn("train", "train.yaml")
    assert result.exit_code == 0, result.output
    result = sdgnn("evaluate", "model", "labels/labels.h5", "--json", "errors.json")
    assert result.exit_code == 0, result.output
    errors = json.loads((folder / "errors.json").read_text())
    labels = read(folder / "labels/labels.h5")
    expected = judge(load(folder / "model").on(labels.lattice), labels)
    assert errors["torque_rmse"] == pytest.approx(expected.torque_rmse, rel=1e-5)
    assert errors["torque_r2"] == pytest.approx(expected.torque_r2, rel=1e-5)
    assert {row["field"] for row in errors["sets"][0]["rows"]} == {
        "network",
        "Heisenberg, 1 shell",
        "Heisenberg, 5 shells",
    }


def test_errors_stand_beside_the_floor_where_asked(folder: Path) -> None:
    """A floor measured for 3 x 3 sites has a halo of one bond; that of the network's field is four."""
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), Lattice.triangular(4, 4)).save(folder / "model")
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    result = sdgnn("evaluate", "model", "labels/labels.h5", "floor={}", "--json", "errors.json")
    assert result.exit_code == 0, result.output
    rows = {row["field"]: row for row in json.loads((folder / "errors.json").read_text())["sets"][0]["rows"]}
    assert rows["Heisenberg, 1 shell"]["floor_torque_rmse"] > 0
    assert rows["Heisenberg, 1 shell"]["reach"] == pytest.approx(1)
    assert "floor_torque_rmse" not in rows["network"]
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), Lattice.triangular(4, 4)).save(folder / "model")
    larger = ["floor.size=[8,8]", "floor.environments=2", "floor.redraws=2", "output=larger"]
    assert sdgnn("evaluate", "model", "labels/labels.h5", *larger, "--json", "errors.json").exit_code == 0
    rows = {row["field"]: row for row in json.loads((folder / "errors.json").read_text())["sets"][0]["rows"]}
    assert rows["network"]["floor_torque_rmse"] > 0


def test_evaluate_refuses_what_does_not_fit(folder: Path) -> None:
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), Lattice.square(4, 4)).save(folder / "square")
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    for arguments, words in (
        (["square", "labels/labels.h5"], "a network for square lattices"),
        (["nothing", "labels/labels.h5"], "no model at nothing"),
        (["square", "nothing.h5"], "does not exist"),
        (["square"], "CONFIG.yaml or MODEL DATA"),
    ):
        result = sdgnn("evaluate", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr


LOCALITY = """
lattice: {type: triangular, size: [4, 4]}
electrons: {kT: 0.2, filling: 0.25}
states:
  - {kind: random}
  - {kind: noisy_order, order: tetrahedral, strength: 0.3}
environments: 3
redraws: 2
output: floors
"""


def test_locality_writes_table_numbers_and_figure(folder: Path) -> None:
    (folder / "locality.yaml").write_text(LOCALITY)
    result = sdgnn("locality", "locality.yaml")
    assert result.exit_code == 0, result.output
    assert {p.name for p in (folder / "floors").glob("[!.]*")} == {
        "config.yaml", "provenance.json", "locality.json", "locality.png", "locality.pdf"
    }  # fmt: skip
    states = json.loads((folder / "floors/locality.json").read_text())["states"]
    assert set(states) == {"random", "tetrahedral noise 0.3"}
    for floor in states.values():
        assert floor["radius"] == pytest.approx([1, 3**0.5, 2])
        assert min(floor["torque_rmse_error"][:2]) > 0
        assert floor["torque_rmse"][2] == pytest.approx(0, abs=1e-10), "all 16 sites lie within 2"
    assert f"{states['random']['torque_rmse'][0]:.5f}" in result.stderr


def test_locality_of_given_states(folder: Path) -> None:
    (folder / "locality.yaml").write_text(LOCALITY)
    assert sdgnn("simulate", "quench.yaml").exit_code == 0
    given = "states=[{kind: given, path: quench, since: 0.4}]"
    assert sdgnn("locality", "locality.yaml", given, "radii=[1]").exit_code == 0
    content = json.loads((folder / "floors/locality.json").read_text())
    assert list(content["states"]) == ["quench from 0.4"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["radii=[2.5]"], "0 to 2"),
        (["states.0.kind=randm"], "'random', 'noisy_order', 'given'"),
        (["states.1.strenght=1"], "did you mean states.1.strength?"),
        (["states.1.order=tetra"], "did you mean 'tetrahedral'?"),
        (["states.1.order=neel"], "bipartite"),
        (["states=[{kind: given, path: nothing}]"], "no trajectory in nothing"),
        (["redraws=1"], "redraws = 1"),
    ],
)
def test_locality_refuses_what_does_not_fit(folder: Path, overrides: list[str], words: str) -> None:
    (folder / "locality.yaml").write_text(LOCALITY)
    result = sdgnn("locality", "locality.yaml", *overrides)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (folder / "floors").exists()


SMALL_DEMO = (
    "workers=0", "lattice.size=[4,4]", "electrons.twists=null", "protocols.0.states=10", "protocols.1.runs=4",
    "protocols.1.steps=[1,2]", "larger.lattice.size=[6,6]", "larger.protocols.0.states=1", "calibrated=2",
    "larger.protocols.1.steps=[1]", "network.hidden=2", "training.epochs=1", "quench.lattice.size=[8,8]",
    "quench.steps=4", "quench.observe.spins=2", "quench.observe.structure_factor=2", "output=demo",
)  # fmt: skip


def test_the_demo_makes_its_report(folder: Path) -> None:
    """The whole pipeline on lattices of a few sites, and again from its folder, where all but the report is read."""
    result = sdgnn("demo", str(CONFIGS / "demo.yaml"), *SMALL_DEMO)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "demo"
    report = (folder / "demo/report.html").read_text()
    assert report.count("data:image/png;base64,") >= 8
    assert "<link" not in report
    assert "<script" not in report
    for name in ("labels/labels.h5", "larger/labels.h5", "model/model.safetensors", "numbers.json", "config.yaml"):
        assert (folder / "demo" / name).exists()
    assert open_trajectory(folder / "demo/quench").sizes["replica"] >= 2
    assert list((folder / "demo/model/tensorboard").iterdir())
    numbers = json.loads((folder / "demo/numbers.json").read_text())
    rows = {row["field"]: row for row in numbers["fields"]}
    assert list(rows) == [
        "exact diagonalisation", "universal, fast", "universal, accurate", "calibrated", "trained",
        "Heisenberg, 1 shell", "Heisenberg, 5 shells",
    ]  # fmt: skip
    assert all(row["microseconds_per_site"] > 0 for row in rows.values())
    assert rows["universal, fast"]["labels"] == 0 < rows["calibrated"]["labels"] < rows["trained"]["labels"]
    assert {one["family"] for one in numbers["calibration"]["families"]} == {"random", "snapshot from random"}
    for row in numbers["errors"]["larger"]:
        if row["protocol"] == "all":
            assert rows[row["field"]]["torque_r2"]["larger"] == row["torque_r2"]
            assert f"{row['torque_r2']:.4f}" in report
    # the larger lattice's field of the saved models is the one that was judged
    larger = read(folder / "demo/larger/labels.h5")
    for name, place in (("calibrated", "calibrated"), ("trained", "model")):
        found = judge(load(folder / "demo" / place).on(larger.lattice), larger).torque_r2
        assert found == pytest.approx(rows[name]["torque_r2"]["larger"], abs=1e-6)

    again = sdgnn("demo", str(CONFIGS / "demo.yaml"), *SMALL_DEMO)
    assert again.exit_code == 2
    assert "already holds something" in again.stderr
    (folder / "demo/report.html").unlink()
    weights = (folder / "demo/model/model.safetensors").read_bytes()
    resumed = sdgnn("demo", str(CONFIGS / "demo.yaml"), *SMALL_DEMO, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert (folder / "demo/model/model.safetensors").read_bytes() == weights
    after = json.loads((folder / "demo/numbers.json").read_text())
    assert after["errors"] == numbers["errors"]
    assert after["quench"] == numbers["quench"]
    assert (folder / "demo/report.html").is_file()


def test_the_demo_takes_one_family_of_lattices() -> None:
    """The larger lattice and that of the quench are of the labels' type, which is said once."""
    from sdgnn.cli.config.training import DemoConfig

    config = DemoConfig.load(CONFIGS / "demo.yaml", ["lattice.type=square", "electrons.filling=0.485"])
    assert (config.larger.lattice.type, config.larger.lattice.size) == ("square", (24, 24))
    assert (config.quench.lattice.type, config.quench.lattice.size) == ("square", (64, 64))
    larger = config.of_larger()
    assert larger.electrons.filling == 0.485
    assert larger.seed != config.seed
    assert larger.build_protocols()[0].samples == config.larger.protocols[0]["states"]
    with pytest.raises(UserError, match="did you mean 'random'"):
        DemoConfig.load(CONFIGS / "demo.yaml", ["larger.protocols.0.protocol=randm"])

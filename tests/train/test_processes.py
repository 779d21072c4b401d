"""Training on several processes: the steps of one process with batches as many times larger."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.labels import heisenberg_labels
from helpers.torchrun import torchrun

import sdgnn
from sdgnn import ExactField, Lattice, SDModel
from sdgnn.data import LabelSet, Random, generate
from sdgnn.nn import EquivariantSettings, create
from sdgnn.train import TrainSettings, fit
from sdgnn.train.batches import number_of_batches, shuffled

TRAIN = """
data: [labels.h5]
validation: 0.2
network: {cutoff: 2, moments: 9, hidden: 4}
training: {epochs: 3, dtype: float64}
output: shared
"""


def test_shares_of_a_batch_make_the_batch() -> None:
    for epoch in range(2):
        whole = list(shuffled([7, 4], 6, seed=3, epoch=epoch))
        shares = [list(shuffled([7, 4], 2, seed=3, epoch=epoch, processes=3, rank=rank)) for rank in range(3)]
        for (which, states), *parts in zip(whole, *shares, strict=True):
            assert {part[0] for part in parts} == {which} and len({len(part[1]) for part in parts}) == 1
            assert set(torch.cat([part[1] for part in parts]).tolist()) == set(states.tolist())
        assert len(whole) == number_of_batches([7, 4], 6) == number_of_batches([7, 4], 2, processes=3)


def test_variables_of_slurm_and_a_rank_left_behind_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``sbatch --ntasks=4`` sets such variables, which without torchrun stand for no process of this training."""
    labels = heisenberg_labels((3, 3), 8, seed=0)
    slurm = {"JOB_ID": "17", "JOB_NAME": "train", "NTASKS": "4", "PROCID": "2", "LOCALID": "2", "NODEID": "0"}
    variables = {"RANK": "2", "LOCAL_RANK": "2", **{f"SLURM_{name}": value for name, value in slurm.items()}}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    network = create(EquivariantSettings(layers=1, channels=1), labels.lattice, seed=0)
    fit(network, [labels], [labels], TrainSettings(epochs=1, batch=4), tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    assert list((tmp_path / "tensorboard").iterdir()), "curves are written by the process that counts as first"


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", ["{cutoff: 2, moments: 9, hidden: 4}", "{kind: equivariant, layers: 1, channels: 2}"]
)
def test_two_processes_take_the_steps_of_one_with_twice_the_batch(network: str, tmp_path: Path) -> None:
    """To the rounding of the file, which holds single precision: 1e-7 of weights of order one."""
    lattice = Lattice.triangular(3, 3)
    exact = ExactField(SDModel(lattice), kT=0.1, filling=0.25)
    labels: LabelSet = generate(exact, [Random(states=20)], tmp_path / "labels.h5", workers=0)
    assert len(labels) == 20
    (tmp_path / "train.yaml").write_text(TRAIN.replace("{cutoff: 2, moments: 9, hidden: 4}", network))
    alone = torchrun(1, "-m", "sdgnn", "train", "train.yaml", "training.batch=2", "output=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    shared = torchrun(2, "-m", "sdgnn", "train", "train.yaml", cwd=tmp_path)
    assert shared.returncode == 0, shared.stderr
    assert shared.stderr.count("model: shared") == 1
    one, two = (sdgnn.load(tmp_path / name).state_dict() for name in ("alone", "shared"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-5, atol=1e-6)
    again = torchrun(2, "-m", "sdgnn", "train", "train.yaml", cwd=tmp_path)
    assert again.returncode != 0 and again.stderr.count("already holds something") == 1

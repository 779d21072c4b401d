"""Whoever uses the electrons' hopping knows spin-orbit coupling, or refuses it: nobody leaves it out silently."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import ExactField, KPMField, Lattice, SDModel, SpinOrbit, TruncatedField, data, spins
from sdgnn.analysis import locality_floor
from sdgnn.analysis.locality.ensembles import Windows
from sdgnn.cli.config.physics import HamiltonianConfig
from sdgnn.common.errors import UserError
from sdgnn.data.solvers import build, label
from sdgnn.electrons import density_of_states, local_density_of_states, spectral_gap
from sdgnn.electrons.bands import band, bloch_matrices
from sdgnn.electrons.truncated.medium import Medium
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, Network, NetworkSettings
from sdgnn.train.binding import bind
from sdgnn.train.factors import calibrate

LATTICE = Lattice.square(4, 4)
RASHBA = SpinOrbit(kind="rashba", strength=0.4)
MODEL = SDModel(LATTICE, [1.0, -0.2], 1.5, spin_orbit=RASHBA)
PLAIN = SDModel(LATTICE, [1.0, -0.2], 1.5)
DISORDERED = SDModel(LATTICE, [1.0], 1.5, {"width": 0.4, "seed": 2}, RASHBA)

HOPPING = (
    r"\b(amplitudes|strengths|hopping_matrix|bond_hoppings|bond_matrices|orbital_matrix|spin_orbit_vectors|norms)\b"
)
KNOWN = {
    "electrons/hamiltonian.py",  # tests/electrons/test_spin_orbit.py
    "electrons/bands.py",  # here
    "electrons/bonds.py",  # tests/electrons/test_bonds.py
    "electrons/conductivities.py",  # tests/electrons/test_conductivity.py
    "electrons/gap.py",  # here
    "electrons/kpm/scaled.py",  # tests/electrons/test_recursion.py
    "electrons/kpm/bounds.py",  # here: levels beyond the bounds raise NumericalError in kernel polynomials
    "electrons/truncated/balls.py",  # tests/electrons/test_truncated_spin_orbit.py
    "train/binding.py",  # here: refuses
}
"""Modules that read the hopping of a model, and where their answer with spin-orbit coupling is compared or refused."""
OTHERS = {
    *(f"analysis/{name}.py" for name in ("spectra/static", "spectra/dynamical", "orders/order_weights")),
    *(f"analysis/{name}.py" for name in ("domains/walls", "waves/magnetic_cell")),
    *(f"nn/{name}.py" for name in ("model", "network", "baselines/equivariant", "baselines/graph")),
    *(
        "nn/baselines/site_model.py",
        "data/protocols.py",
        "cli/commands/dataset.py",
        "cli/commands/floors.py",
        "electrons/spinors.py",
    ),
}
"""Modules with these words for other things, and those that are given them."""


def test_everybody_who_reads_the_hopping_stands_here() -> None:
    folder = Path(sdgnn.__file__).parent
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if re.search(HOPPING, re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.DOTALL))
    }
    assert found - OTHERS == KNOWN


@pytest.mark.parametrize("model", [MODEL, DISORDERED, SDModel(Lattice.honeycomb(3, 3), spin_orbit=RASHBA)], ids=repr)
def test_bands_hold_all_levels(model: SDModel) -> None:
    """And no others: within some percent of the width of the lowest and highest level on a fine mesh of twists."""
    levels = np.concatenate([np.linalg.eigvalsh(model.orbital_matrix((a / 6, b / 6)).toarray())
                             for a in range(6) for b in range(6)])  # fmt: skip
    lowest, highest = band(model)
    width = levels.max() - levels.min()
    assert lowest <= levels.min() + 1e-9 < levels.min() + 0.05 * width
    assert lowest > levels.min() - 0.05 * width and levels.max() <= highest + 1e-9 < levels.max() + 0.05 * width
    if model.is_uniform:
        assert model.lattice.shape is not None
        found = np.linalg.eigvalsh(bloch_matrices(model, model.lattice.shape))
        assert np.allclose(np.sort(found.ravel()), np.linalg.eigvalsh(model.orbital_matrix().toarray()), atol=1e-9)


def test_densities_of_states_and_gaps_are_those_of_all_levels() -> None:
    state = spins.random(LATTICE, seed=1)
    h = MODEL.matrix(state)[0].numpy()
    levels, vectors = np.linalg.eigh(h)
    whole, local = density_of_states(MODEL, state, 40), local_density_of_states(MODEL, state, [3], 40)
    for found, weights in (
        (whole.moments[0], np.full(32, 1 / 16)),
        (local.moments[0, 0], (np.abs(vectors[6:8]) ** 2).sum(0)),
    ):
        low, high = whole.bounds[0].tolist()
        x = (2 * levels - low - high) / (high - low)
        assert np.abs(x).max() < 1
        assert np.allclose(found.numpy(), np.cos(np.outer(np.arange(40), np.arccos(x))) @ weights, atol=1e-10)
    sparse, dense = (spectral_gap(MODEL, state, 0.5, tolerance=1e-7, dense=size) for size in (0, 600))
    torch.testing.assert_close(sparse.below, dense.below, atol=1e-6, rtol=0)
    torch.testing.assert_close(sparse.above, dense.above, atol=1e-6, rtol=0)
    torch.testing.assert_close(dense.below, torch.tensor([levels[15]]), atol=1e-10, rtol=0)


@pytest.mark.parametrize("twists", [None, (2, 1)])
def test_kernel_polynomials_agree_with_all_levels(twists: tuple[int, int] | None) -> None:
    """By the full trace to rounding, pi kT moments / scale > 30, and by coloured vectors to the errors they tell."""
    state = spins.random(LATTICE, replicas=2, seed=2)
    for model in (MODEL, DISORDERED):
        exact = ExactField(model, 0.2, filling=0.3, twists=twists)(state)
        full = KPMField(model, 0.2, filling=0.3, twists=twists, moments=360, vectors=None)(state)
        for name in ("energy", "field", "density", "mu"):
            torch.testing.assert_close(getattr(full, name), getattr(exact, name), atol=1e-10, rtol=0)
    some = KPMField(MODEL, 0.2, filling=0.3, tolerance=0.02)(state)
    assert float((some.field - ExactField(MODEL, 0.2, filling=0.3)(state).field).square().mean().sqrt()) < 0.03


def test_spin_waves_feel_the_exchange_that_spin_orbit_coupling_makes() -> None:
    """A ferromagnet along y on a film with Rashba coupling: D_ij along z x d, seen where it is along the spins, so of
    bonds along x alone; waves along x run differently forth and back, waves along y do not. All turns around with the
    sign of the coupling, and there is none of it without."""
    lattice = Lattice.square(6, 6)
    state = spins.ferro(lattice, (0, 1, 0))
    found = {}
    for strength in (-0.2, 0.0, 0.2):
        model = SDModel(lattice, [1.0], 3.0, spin_orbit=RASHBA.replace(strength=strength))
        couplings = sdgnn.exchange(ExactField(model, 0.1, filling=0.1), state)
        near = couplings.length < 1.01
        found[strength] = dmi, along = couplings.dmi[near], couplings.vector[near]
        assert np.allclose(dmi[:, [0, 2]], 0, atol=1e-7)
        assert np.allclose(dmi[np.abs(along[:, 0]) < 0.5], 0, atol=1e-7)
        assert np.allclose(dmi[:, 1] * along[:, 0], np.abs(along[:, 0]) * dmi[along[:, 0] > 0.5, 1].mean(), atol=1e-7)
        q = (lattice.reciprocal[:, None] * np.array([1, -1])[:, None]).reshape(-1, 2)
        omega = sdgnn.spin_waves(couplings, q=q).omega[:, 0]
        assert (abs(omega[0] - omega[1]) > 1e-3) == (strength != 0)
        assert abs(omega[2] - omega[3]) < 1e-6
    assert np.abs(found[0.2][0]).max() > 1e-3 and np.abs(found[0.0][0]).max() < 1e-7
    assert np.allclose(found[0.2][0], -found[-0.2][0], atol=1e-7)


def test_labels_keep_it(tmp_path: Path) -> None:
    """In the file, in the field that is built again, and in what a label set says of itself."""
    labels = label(ExactField(MODEL, 0.1, filling=0.3), spins.random(LATTICE, 2, seed=1))
    data.write(labels, tmp_path / "labels.h5")
    again = data.read(tmp_path / "labels.h5")
    assert again.content_hash == labels.content_hash and "spin-orbit" in repr(again)
    assert again.origin.hamiltonian == MODEL.to_dict()
    torch.testing.assert_close(build(again.origin, LATTICE)(again.spins).field, labels.field, atol=1e-12, rtol=0)
    plain = label(ExactField(PLAIN, 0.1, filling=0.3), spins.random(LATTICE, 2, seed=1))
    with pytest.raises(UserError, match="spin_orbit"):
        data.LabelSet.concatenate([labels, plain])


def test_networks_of_spins_alone_refuse_it() -> None:
    labels = label(ExactField(MODEL, 0.1, filling=0.3), spins.random(LATTICE, 2, seed=1))
    equivariant = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), LATTICE)
    with pytest.raises(UserError, match="spins alone are turned"):
        bind(equivariant, labels)
    with pytest.raises(UserError, match="strengths of bonds"):
        equivariant.on(LATTICE, bonds=MODEL.bonds, strengths=MODEL.strengths)


def test_networks_of_walks_follow_it() -> None:
    """``universal`` is the field of these electrons. A part that was learned of several Hamiltonians without spin-orbit
    coupling, or of others, is off."""
    given = spins.random(LATTICE, 2, seed=3)
    field = sdgnn.load("universal").on(MODEL, torch.float64, kT=0.1, filling=0.3)
    walks = TruncatedField(MODEL, 0.1, filling=0.3, level="fast")
    torch.testing.assert_close(field(given).field, walks(given).field, atol=1e-12, rtol=0)
    network = Network(NetworkSettings(cutoff=2, moments=13, hidden=4), LATTICE)
    for model, learned in ((PLAIN, True), (MODEL, False)):
        bound = network.on(model, kT=0.1, filling=0.3)
        assert (bound.readout is not None) == learned  # type: ignore[attr-defined]


def test_factors_are_fitted_to_it() -> None:
    """Factors of moments, invariants of spins and lattice turned together, are fitted to exact states of these
    electrons, and states left out of the fit come out better."""
    labels = label(ExactField(MODEL, 0.1, filling=0.3, twists=(3, 3)), spins.random(LATTICE, 6, seed=1))
    network, report = calibrate(MODEL, 0.1, filling=0.3, cutoff=2, moments=9, labels=labels)
    assert report.kept and report.families[0].calibrated > report.families[0].plain
    assert network.electrons is not None and network.electrons.hamiltonian["spin_orbit"][0]["kind"] == "rashba"


def test_turned_windows_are_no_surroundings() -> None:
    exact = ExactField(MODEL, 0.1, filling=0.3)
    windows = Windows(spins.random(LATTICE, 4), LATTICE)
    for field in (exact, exact + sdgnn.Zeeman(LATTICE, (0, 0, 0.1))):
        with pytest.raises(UserError, match="turned windows"):
            locality_floor(field, [1.0], 1, 2, ensemble=windows)
    locality_floor(ExactField(PLAIN, 0.1, filling=0.3), [1.0], 1, 2, ensemble=windows)
    locality_floor(exact, [1.0], 1, 2)


def test_the_medium_of_random_spins_refuses_it() -> None:
    with pytest.raises(UserError, match="spin-orbit"):
        Medium(MODEL, 0.1)


def test_configurations_have_it() -> None:
    given = {"hopping": [1.0], "exchange": 1.5, "spin_orbit": [{"kind": "rashba", "strength": 0.4}]}
    assert HamiltonianConfig(**given).build(LATTICE).to_dict() == given
    with pytest.raises(UserError, match="rashba"):
        HamiltonianConfig(spin_orbit=[{"kind": "rashbah", "strength": 0.4}])

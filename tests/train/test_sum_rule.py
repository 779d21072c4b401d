"""Torques of a rotation-invariant energy cancel: labels that break this are refused, noise and rounding are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.labels import electron_labels, heisenberg_labels
from helpers.small_networks import small_baseline, small_network

from sdgnn import ExactField, KPMField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, Origin, read
from sdgnn.data.solvers import describe
from sdgnn.fields import DMI, Anisotropy, Field, Heisenberg, Sum, Zeeman
from sdgnn.nn.baselines.two_energies import TwoEnergies
from sdgnn.nn.settings import TwoEnergiesSettings
from sdgnn.train import TrainSettings, judge
from sdgnn.train.baselines import fit_heisenberg
from sdgnn.train.factors import calibrate
from sdgnn.train.loop import fit
from sdgnn.train.sum_rule import allowed_total, check_sum_rule, total_torque

LATTICE = Lattice.triangular(4, 4)
PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data"


def labelled(field: Field, states: int = 3) -> LabelSet:
    """Random states of a field."""
    random = spins.random(field.lattice, states, seed=1)
    result = field(random)
    origin = describe(field) if isinstance(field, ExactField | KPMField) else Origin()
    return LabelSet(field.lattice, random, result.field.double(), result.energy.double(), origin=origin)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_torques_of_electrons_cancel_to_rounding(dtype: torch.dtype) -> None:
    """An analytic identity, held by diagonalisation, with boundary phases, and by the full trace of polynomials."""
    model = SDModel(LATTICE, exchange=3.0)
    ensemble = {"kT": 0.1, "filling": 0.25}
    fields = [ExactField(model, **ensemble), ExactField(model, **ensemble, twists=[2, 2])]
    fields.append(KPMField(model, **ensemble, moments=100, vectors=None, dtype=dtype))
    for field in fields:
        labels = labelled(field)
        labels = replace(labels, spins=labels.spins.to(dtype), field=labels.field.to(dtype))
        size = labels.field.square().sum((1, 2)).sqrt()
        assert (total_torque(labels).norm(dim=-1) < 10 * torch.finfo(dtype).eps * size).all()
        check_sum_rule(small_network(), [labels])


@pytest.mark.parametrize(
    "term", [DMI(LATTICE, strength=0.01), Anisotropy(LATTICE, strength=0.01), Zeeman(LATTICE, field=(0, 0, 0.01))]
)
def test_terms_that_single_out_a_direction_are_refused_until_subtracted(term: Field, tmp_path: Path) -> None:
    """A hundredth of t; the message names what to do, and doing that gives the electrons' own labels back."""
    electrons = electron_labels((4, 4), 4, 0)
    result = term(electrons.spins)
    labels = replace(electrons, field=electrons.field + result.field, energy=electrons.energy + result.energy)
    with pytest.raises(UserError, match=r"labels\.minus\(term\).*network\.on\(lattice\) \+ term"):
        fit(small_network(), [labels], [electrons], TrainSettings(epochs=1), tmp_path)
    with pytest.raises(UserError, match="sum_i S_i x H_i"):
        calibrate(SDModel(LATTICE, exchange=3.0), 0.3, filling=0.25, cutoff=2, moments=9, labels=labels)
    subtracted = labels.minus(term)
    check_sum_rule(small_network(), [subtracted])
    torch.testing.assert_close(subtracted.field, electrons.field, rtol=0, atol=1e-14)
    torch.testing.assert_close(subtracted.energy, electrons.energy, rtol=0, atol=1e-12)


def test_what_was_subtracted_is_added_again() -> None:
    """A model of the labels without the term, plus the term, is a model of the labels with it."""
    term = DMI(LATTICE, strength=0.05)
    exchange = Heisenberg(LATTICE, [-0.1])
    labels = labelled(Sum(exchange, term))
    fitted = fit_heisenberg(labels.minus(term), 1)
    assert judge(fitted + term, labels).torque_r2 > 1 - 1e-12
    assert judge(fit_heisenberg(labels, 1), labels).torque_r2 < 0.95
    with pytest.raises(UserError, match="minus a term"):
        labels.minus(DMI(Lattice.triangular(4, 6), strength=0.05))


def test_fields_out_of_equilibrium_need_not_cancel() -> None:
    """S x (S x M) of a Heisenberg field M: allowed for the model that can learn such labels alone."""
    labels = heisenberg_labels((4, 4), 3, 0)
    turned = replace(labels, field=torch.linalg.cross(labels.spins, labels.field), energy=None)
    check_sum_rule(TwoEnergies(TwoEnergiesSettings(layers=1, channels=2, bond_functions=3), LATTICE), [turned])
    with pytest.raises(UserError, match="sum_i S_i x H_i"):
        check_sum_rule(small_baseline(), [turned])


@pytest.mark.parametrize("probing", ["plain", "coloured"])
def test_noise_of_random_vectors_is_no_broken_symmetry(probing: str) -> None:
    """The sum's noise stays below its bound, which is no larger than a few times what is seen; the same numbers
    without their solver are refused."""
    lattice = Lattice.triangular(8, 8)
    model = SDModel(lattice, exchange=3.0)
    field = KPMField(model, kT=0.1, filling=0.25, moments=100, vectors=16, probing=probing)
    labels = labelled(field, states=8)
    found, allowed = total_torque(labels).norm(dim=-1), allowed_total(labels)
    assert (found < allowed).all()
    if probing == "plain":
        assert found.square().mean().sqrt() > allowed.max() / 16
    check_sum_rule(small_network(), [labels])
    with pytest.raises(UserError, match="random vectors"):
        check_sum_rule(small_network(), [replace(labels, origin=Origin())])


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="published label sets are not here")
@pytest.mark.parametrize("name", ["double_exchange_prl2021", "kondo_square_mlst2023_train"])
def test_published_labels_pass(name: str) -> None:
    check_sum_rule(small_baseline(), [read(PUBLISHED / f"{name}.npz")])

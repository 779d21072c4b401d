"""Models and labels: the electrons of a label set, and a model on its lattice."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sdgnn.common.differences import differences
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, Origin
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field
from sdgnn.nn import ElectronsSettings, EquivariantNetwork, Model, Network, NetworkSettings, Settings


def bind(model: Model, labels: LabelSet, dtype: torch.dtype = torch.float32) -> Field:
    """The field of ``model`` on the labels' lattice.

    A network follows the electrons of the labels where these say them. Where their Hamiltonian has bond disorder, the
    equivariant network takes its bonds and their strengths t_ij / t. Raises UserError as ``model.on`` does, on
    other kinds of models where there is bond disorder, and on all but networks of walks where there is spin-orbit
    coupling: their energies do not change when spins alone are turned.
    """
    hamiltonian = labels.origin.hamiltonian
    if isinstance(model, Network):
        electrons = electrons_of(labels.origin)
        if electrons is None:
            return model.on(labels.lattice, dtype)
        whole = SDModel.from_dict(labels.lattice, electrons.hamiltonian)
        return model.on(whole, dtype, kT=electrons.kT, filling=electrons.filling, mu=electrons.mu)
    if labels.origin.turns_spins:
        raise UserError(
            f"{model!r} on labels with spin-orbit coupling, whose energy changes when spins alone are turned",
            allowed="models of kind network, whose walks turn spins as these electrons do",
        )
    if hamiltonian is None or hamiltonian.get("disorder") is None:
        return model.on(labels.lattice, dtype=dtype)
    if not isinstance(model, EquivariantNetwork):
        raise UserError(f"{model!r} on labels with bond disorder", allowed="models of kind network or equivariant")
    disordered = SDModel.from_dict(labels.lattice, hamiltonian)
    return model.on(labels.lattice, dtype, bonds=disordered.bonds, strengths=disordered.strengths)


def electrons_of(origin: Origin) -> ElectronsSettings | None:
    """Hamiltonian, kT and filling or mu of labels; None where they do not say them."""
    if origin.hamiltonian is None or origin.kT is None:
        return None
    return ElectronsSettings(hamiltonian=origin.hamiltonian, kT=origin.kT, filling=origin.filling, mu=origin.mu)


def other_electrons(model: Model, theirs: ElectronsSettings | None, what: str) -> list[str]:
    """A warning that the model has learned other electrons than those of ``what``; empty where it has not.

    Realisations of bond disorder are the same electrons. A network without a learned part is that of any electrons.
    """
    own = model.electrons
    if own is None or theirs is None or own.without_seed() == theirs.without_seed():
        return []
    if isinstance(model, Network) and model.readout is None:
        return []
    effect = "its learned part is off there" if isinstance(model, Network) else "it knows nothing of those"
    changed = differences(own.model_dump(exclude_none=True), theirs.model_dump(exclude_none=True))
    return [f"a model that learned from other electrons than those of {what}: {changed} (model, {what}); {effect}"]


def adopt(model: Model, sets: Sequence[LabelSet]) -> None:
    """A trained network that is trained further learns the electrons of these labels where they say them."""
    if isinstance(model, Network) and None not in (found := [electrons_of(labels.origin) for labels in sets]):
        same = all(one == found[0] for one in found)
        model.settings = model.settings.model_copy(update={"electrons": found[0] if same else None})


def with_electrons(settings: Settings, sets: Sequence[LabelSet]) -> Settings:
    """Settings of a network with the electrons of its labels, where these are the same in all sets and none are given.

    Raises UserError where neither settings nor labels say them.
    """
    if not isinstance(settings, NetworkSettings) or settings.electrons is not None:
        return settings
    found = [electrons_of(labels.origin) for labels in sets]
    if None in found:
        raise UserError(
            "a network for labels that do not say their electrons",
            allowed="network.electrons: {hamiltonian: {hopping: [1.0], exchange: ...}, kT: ..., filling: ...}",
            fix="give them, or choose a kind that learns from spins alone: network.kind=equivariant",
        )
    same = all(one == found[0] for one in found)
    return settings.model_copy(update={"electrons": found[0] if same else None})

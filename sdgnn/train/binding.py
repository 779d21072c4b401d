"""A model on the lattice of a label set, told of the bonds where these are disordered."""

from __future__ import annotations

import torch

from sdgnn.data import LabelSet
from sdgnn.errors import UserError
from sdgnn.hamiltonian import SDModel
from sdgnn.nn import EquivariantNetwork, Model, NetworkField


def bind(model: Model, labels: LabelSet, dtype: torch.dtype = torch.float32) -> NetworkField:
    """The field of ``model`` on the labels' lattice.

    Where their Hamiltonian has bond disorder, the equivariant network takes its bonds and their strengths t_ij / t.
    Raises UserError as ``model.on`` does, and on other kinds of models where there is bond disorder.
    """
    hamiltonian = labels.origin.hamiltonian
    if hamiltonian is None or hamiltonian.get("disorder") is None:
        return model.on(labels.lattice, dtype=dtype)
    if not isinstance(model, EquivariantNetwork):
        raise UserError(f"{model!r} on labels with bond disorder", allowed="models of kind equivariant")
    electrons = SDModel.from_dict(labels.lattice, hamiltonian)
    return model.on(labels.lattice, dtype, electrons.bonds, electrons.strengths)

"""Lattices so small that a model meets the same spins again across their boundary."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from sdgnn.common.errors import UserError
from sdgnn.electrons import ExactField, KPMField, TruncatedField
from sdgnn.fields import Field
from sdgnn.fields.protocol import Combination
from sdgnn.lattice import cells_crossed, halo_cells
from sdgnn.nn.baselines.site_model import SiteField
from sdgnn.nn.network import NetworkField
from sdgnn.nn.settings import NetworkSettings, Settings
from sdgnn.nn.storage.load import create


def cells_needed(field: Field) -> Int[np.ndarray, " dim"] | None:
    """Cells along each axis of a crystal on which no site's energy depends on a spin twice; None for other fields.

    An energy that depends on d cells to either side needs 2 d + 1. With fewer, images of one spin stand at several
    places of a neighbourhood: in training, a model learns from surroundings that larger lattices do not have, and a run
    is that of a crystal that repeats itself. Free positions are not judged.
    """
    if isinstance(field, Combination):
        found = [needed for part in field.parts if (needed := cells_needed(part)) is not None]
        return np.max(found, axis=0) if found else None
    if not field.lattice.is_crystal:
        return None
    if isinstance(field, NetworkField):
        return cells_needed(field.electrons)
    if isinstance(field, TruncatedField):
        return 1 + _cells_of_walks(field)
    if isinstance(field, SiteField):
        return 1 + field.network.halo_cells(field.lattice)
    return None


def _cells_of_walks(field: TruncatedField) -> Int[np.ndarray, " dim"]:
    """Cells along each axis within two cutoffs: by distance, or by the cells that bonds cross where these are fewer."""
    lattice, bonds = field.lattice, field.model.bonds
    longest = float(np.linalg.norm(bonds.vector, axis=1).max(initial=0.0))
    crossed = 2 * field.cutoff * cells_crossed(lattice, bonds)
    return np.minimum(halo_cells(lattice, 2 * field.cutoff * longest), crossed)


def too_small(field: Field, what: str) -> list[str]:
    """A warning where ``what`` (labels, a run) has fewer cells than :func:`cells_needed`; nothing elsewhere."""
    needed, shape = cells_needed(field), field.lattice.shape
    if needed is None or shape is None or all(np.array(shape) >= needed):
        return []
    size = " x ".join(map(str, needed))
    return [
        f"{what} on {' x '.join(map(str, shape))} cells, smaller than what an energy of the model sees: the same spins "
        f"stand around it several times; allowed without this: at least {size} cells, or a model that sees less far "
        "(docs/choosing.md)"
    ]


def model_of(settings: Settings, exact: Field) -> Field:
    """A new model of these settings on the lattice, and for the electrons, of a field that labels."""
    if not isinstance(settings, NetworkSettings):
        return create(settings, exact.lattice).on(exact.lattice)
    if not isinstance(exact, ExactField | KPMField | TruncatedField):
        raise UserError(f"labels from {exact!r}", allowed="a field of electrons")
    size = settings.size
    return TruncatedField(exact.model, exact.kT, exact.mu, exact.filling, *size)

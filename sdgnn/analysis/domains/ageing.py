"""Memory of an earlier state: frozen fraction of phases and two-time autocorrelation."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.errors import UserError


def frozen_fraction(phases: Iterable[Int[Tensor, "replica node"]]) -> Float[Tensor, "time replica"]:
    """Share of nodes that have kept the phase of the first state in every state since; (time, replica), from 1 on.

    ``phases``: states one after another, (time, replica, node) or an iterator that reads them one by one. Called
    persistence where phases change at zero temperature (Derrida, Bray and Godreche, J. Phys. A 27, L357 (1994),
    doi:10.1088/0305-4470/27/11/002). Changes between two states that were undone are not seen.
    """
    kept: list[Tensor] = []
    first: Tensor | None = None
    same = torch.tensor(True, device="cpu")
    for now in phases:
        first = now if first is None else first
        same = same.to(now.device) & (now == first)
        kept.append(same.double().mean(-1))
    return _stacked(kept)


def autocorrelation(values: Iterable[Float[Tensor, "replica site *component"]]) -> Float[Tensor, "time replica"]:
    """A(t, t_w) = sum_i v_i(t) . v_i(t_w) / sum_i |v_i(t_w)|^2 with t_w the time of the first state; (time, replica).

    ``values``: states one after another, (time, replica, site, ...) or an iterator that reads them one by one. While
    domain growth scales, A depends on t / t_w alone (Bray, Adv. Phys. 43, 357 (1994), doi:10.1080/00018739400101505).
    """
    overlaps: list[Tensor] = []
    first: Tensor | None = None
    for now in values:
        flat = now.flatten(1).double()
        first = flat if first is None else first
        overlaps.append((flat * first).sum(-1) / first.square().sum(-1))
    return _stacked(overlaps)


def _stacked(rows: list[Tensor]) -> Float[Tensor, "time replica"]:
    if not rows:
        raise UserError("no states", allowed="at least the one that the others are compared with")
    return torch.stack(rows)

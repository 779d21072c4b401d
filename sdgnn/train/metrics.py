"""How well a field reproduces labels: torque error and R^2, field, energy and angle errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.files import plain
from sdgnn.common.rounding import with_error
from sdgnn.data import LabelSet
from sdgnn.fields import Field, torque_part

NO_TORQUE = 1e-12
"""Sites with a smaller true torque part (in units of t) have no direction and are left out of the angle errors."""


@dataclass(frozen=True)
class Metrics:
    """Errors of a field against labels. Fields and energies are in units of the hopping t."""

    n_states: int
    """States judged."""
    n_samples: int
    """Independent samples among them: states of one run or path are one."""
    n_sites: int
    """Sites of the lattice; the largest one, where label sets of several lattices were judged together."""
    torque_rmse: float
    """Root mean square error of the torque part T, per Cartesian component (the mean runs over states, sites, xyz)."""
    torque_rms: float
    """Root mean square of the true T per component: the torque RMSE of predicting nothing."""
    torque_r2: float
    """1 - sum |dT|^2 / sum |T|^2. No mean is subtracted: that of T vanishes by spin rotation. NaN without torque."""
    torque_r2_error: float
    """Standard error of R^2 over independent samples of states, see :func:`jackknife`; NaN with a single one."""
    field_rmse: float
    """Root mean square error of the full field per component, the part along S included."""
    energy_rmse: float
    """Root mean square error of the energy per site; NaN where the labels have no energies."""
    energy_rmse_shifted: float
    """``energy_rmse`` after the best constant per site is added to the prediction; only energy differences are physics.
    NaN for a single state, whose energy the constant meets exactly."""
    energy_shift: float
    """The best constant: mean of (true - predicted) energy per site."""
    angle_mean: float
    """Mean angle in degrees between predicted and true torque part, over sites with a torque."""
    angle_95: float
    """Angle in degrees that 95 % of these sites stay below."""

    def __repr__(self) -> str:
        return (
            f"Metrics: torque R² {self.r2}, RMSE {self.torque_rmse:.4g} t of {self.torque_rms:.4g} t, "
            f"{self.n_states} states of {self.n_sites} sites"
        )

    @property
    def r2(self) -> str:
        """Torque R^2 with its standard error, for tables."""
        return with_error(self.torque_r2, self.torque_r2_error, ".4f")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; NaN becomes None."""
        return plain(asdict(self))


def jackknife(errors: Float[np.ndarray, " sample"], sizes: Float[np.ndarray, " sample"]) -> float:
    """Standard error of R^2 = 1 - sum_k e_k / sum_k t_k over independent samples k, from leaving each out in turn.

    sqrt[(g - 1)/g sum_k (R^2_(-k) - mean)^2] for g samples, with e_k the squared error and t_k the squared torque of
    one. It says how R^2 would differ on other samples drawn alike, not on other kinds of states; of few samples it is
    rough itself, to about 1 / sqrt(2 (g - 1)). NaN for fewer than two samples, and where one holds all the torque.
    B. Efron, C. Stein, Ann. Statist. 9, 586 (1981), doi:10.1214/aos/1176345462.
    """
    rest = sizes.sum() - sizes
    if len(sizes) < 2 or rest.min() <= 0:
        return math.nan
    left_out = (errors.sum() - errors) / rest
    return float(np.sqrt((len(sizes) - 1) * left_out.var()))


class Tally:
    """Running sums from which :class:`Metrics` follow, filled batch by batch."""

    def __init__(self) -> None:
        self._states, self._largest, self._components = 0, 0, 0
        self._field_error = 0.0
        self._by_sample: dict[tuple[str, int], np.ndarray] = {}
        self._angles: list[Tensor] = []
        self._shifts: list[Tensor] = []

    def add(
        self,
        spins: Float[Tensor, "replica site 3"],
        predicted: Float[Tensor, "replica site 3"],
        true: Float[Tensor, "replica site 3"],
        predicted_energy: Float[Tensor, " replica"] | None = None,
        true_energy: Float[Tensor, " replica"] | None = None,
        samples: Sequence[int] | None = None,
    ) -> None:
        """Count a batch of states; sums are taken in float64.

        ``samples`` names the independent sample of each state; without it each state is one.
        """
        spins, predicted, true = (x.detach().to(torch.float64) for x in (spins, predicted, true))
        torque, wanted = torque_part(predicted, spins), torque_part(true, spins)
        sums = torch.stack([(torque - wanted).square().sum((1, 2)), wanted.square().sum((1, 2))], dim=1).cpu().numpy()
        for k, own in enumerate(sums):
            key = ("state", self._states + k) if samples is None else ("sample", int(samples[k]))
            self._by_sample[key] = self._by_sample.get(key, 0.0) + own
        self._states += len(spins)
        self._largest = max(self._largest, spins.shape[1])
        self._components += spins.numel()
        self._field_error += float((predicted - true).square().sum())
        moved = wanted.norm(dim=-1) > NO_TORQUE
        a, b = torque[moved], wanted[moved]
        # atan2 keeps its accuracy at small angles, where the arc cosine loses half the digits
        self._angles.append(torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1)).cpu())
        if predicted_energy is not None and true_energy is not None:
            error = true_energy.detach().to(torch.float64) - predicted_energy.detach().to(torch.float64)
            self._shifts.append((error / spins.shape[1]).cpu())

    def metrics(self) -> Metrics:
        """Everything counted so far. Raises UserError when nothing was."""
        if self._states == 0:
            raise UserError("metrics of no states", allowed="at least one labelled state")
        errors, sizes = np.stack(list(self._by_sample.values()), axis=1)
        error, size = float(errors.sum()), float(sizes.sum())
        angles = torch.rad2deg(torch.cat(self._angles))
        shifts = (
            torch.cat(self._shifts) if self._shifts else torch.full((1,), math.nan, dtype=torch.float64, device="cpu")
        )
        return Metrics(
            n_states=self._states,
            n_samples=len(sizes),
            n_sites=self._largest,
            torque_rmse=math.sqrt(error / self._components),
            torque_rms=math.sqrt(size / self._components),
            torque_r2=1 - error / size if size > 0 else math.nan,
            torque_r2_error=jackknife(errors, sizes),
            field_rmse=math.sqrt(self._field_error / self._components),
            energy_rmse=float(shifts.square().mean().sqrt()),
            energy_rmse_shifted=float((shifts - shifts.mean()).square().mean().sqrt()) if len(shifts) > 1 else math.nan,
            energy_shift=float(shifts.mean()),
            angle_mean=float(angles.mean()) if len(angles) else math.nan,
            angle_95=float(np.quantile(angles.numpy(), 0.95)) if len(angles) else math.nan,
        )


def judge(field: Field, labels: LabelSet, batch: int = 16) -> Metrics:
    """Errors of any field on labelled states, ``batch`` states at a time.

    Raises UserError on a set without states, and when the field lives on another lattice.
    """
    return judge_all([(field, labels)], batch)


def judge_all(pairs: Iterable[tuple[Field, LabelSet]], batch: int = 16) -> Metrics:
    """Errors over several label sets together, each with a field on its own lattice; see :func:`judge`."""
    if batch < 1:
        raise UserError(f"batches of {batch} states", allowed="at least 1")
    tally, before = Tally(), 0
    for field, labels in pairs:
        not_empty(labels)
        if field.lattice.n_sites != labels.lattice.n_sites or not np.allclose(
            field.lattice.positions, labels.lattice.positions, atol=1e-6
        ):
            raise UserError(
                f"a field on {field.lattice!r} judged by labels on {labels.lattice!r}",
                allowed="one lattice",
                fix="bind the model to the labels' lattice: network.on(labels.lattice)",
            )
        for start in range(0, len(labels), batch):
            part = labels[start : start + batch]
            result = field(part.spins)
            samples = (before + labels.samples[start : start + batch]).tolist()
            tally.add(part.spins, result.field.cpu(), part.field, result.energy.cpu(), part.energy, samples)
        before += 1 + int(labels.samples.max())
    return tally.metrics()


def not_empty(labels: LabelSet) -> LabelSet:
    """``labels`` themselves (which hold finite numbers alone). Raises UserError when there are no states."""
    if len(labels) == 0:
        raise UserError("a label set without states", allowed="at least one labelled state")
    return labels


def by_protocol(labels: LabelSet) -> Iterable[tuple[str, LabelSet]]:
    """The labels of each protocol apart, in order of first appearance."""
    for name in labels.counts:
        yield name, labels[[i for i, protocol in enumerate(labels.protocol) if protocol == name]]

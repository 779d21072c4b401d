"""A committee: models that differ by their seeds alone, whose disagreement tells how far to trust their mean."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.common.files import read_json, write_json
from sdgnn.common.version import VERSION
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.protocol import Combination, unchanging
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.model import Model
from sdgnn.nn.potentials import Potentials
from sdgnn.nn.settings import ElectronsSettings

FORMAT = 1
"""Version of committee.json."""
RECORD = "committee.json"
"""Name of the file that makes a folder a committee."""


@dataclass(frozen=True)
class Reliability:
    """Predicted beside true torque errors on labelled states; a site's error is |dT| / sqrt(3)."""

    ratio: float | None
    """Root mean square of the true errors over that of the predicted ones; 1 where the calibration holds. None where no
    error is predicted anywhere, because all members are the plain walk there, whose errors they know nothing of."""
    correlation: float | None
    """Rank correlation of predicted and true error over sites; None where it is not defined."""
    state_correlation: float | None
    """Rank correlation over states, of the root mean squares of their errors."""
    states: int
    """Number of states."""
    predicted: tuple[float, ...]
    """Root mean square predicted error in bins of equally many sites, from certain to uncertain, in t."""
    true: tuple[float, ...]
    """Root mean square true error in the same bins."""


@dataclass(frozen=True)
class Calibration:
    """How the members' disagreement translates into an error: sqrt((factor d)^2 + common^2).

    d is the standard deviation over members of a site's torque part, per Cartesian component. Members alike share some
    of their errors, for instance all that lies beyond their cutoff: of that their disagreement knows nothing.
    """

    factor: float = 1.0
    """What the deviation is multiplied by."""
    common: float = 0.0
    """The error that members share, in t."""
    limit: float | None = None
    """Predicted error, in t, that 99 % of the held-out sites stay below; None where nothing was measured."""
    held_out: Reliability | None = None
    """Predicted beside true errors on the states that this was fitted to."""

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Calibration:
        """From ``dataclasses.asdict`` of one, as JSON. Raises ValueError or TypeError when it is none."""
        parts = dict(plain)
        if "known" in parts:  # the limit's name at first
            parts["limit"] = parts.pop("known")
        found = parts.pop("held_out", None)
        if found is not None:
            plain = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
            found = Reliability(**plain)
        calibration = cls(**parts, held_out=found)
        if not (0 < calibration.factor < math.inf and 0 <= calibration.common < math.inf):
            raise ValueError(f"factor {calibration.factor} with common error {calibration.common}")
        return calibration


class Committee(Model):
    """E(S) = mean over members of their E(S), as one model; bound to a lattice it also predicts its torque's error.

    Raises UserError on fewer than two members and on members of several lattice families.
    """

    def __init__(self, members: Sequence[Model], calibration: Calibration | None = None) -> None:
        if len(members) < 2:
            raise UserError(f"a committee of {len(members)} member(s)", allowed="at least 2")
        for member in members:
            members[0].check_family(member.family)
        super().__init__(members[0].settings, members[0].family)
        self.cutoff = max(member.cutoff for member in members)
        self.members = nn.ModuleList(members)
        self.calibration = calibration or Calibration()
        with torch.no_grad():
            self.constant.copy_(torch.stack([member.constant for member in members]).mean())

    @property
    def electrons(self) -> ElectronsSettings | None:
        """Electrons of the members."""
        return self.models[0].electrons

    @property
    def models(self) -> list[Model]:
        """The members, in order."""
        return list(self.members)  # type: ignore[arg-type]

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError unless every member takes ``lattice``."""
        for member in self.models:
            member.check_family(lattice)

    def on(
        self, lattice: Lattice | SDModel, dtype: torch.dtype = torch.float32, *, kT: float | None = None,
        filling: float | None = None, mu: float | None = None, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, memory: float | None = None,
    ) -> CommitteeField:  # fmt: skip
        """The mean field, with its predicted torque error, of the members there, which take the same arguments."""
        fields = [
            member.on(lattice, dtype, kT=kT, filling=filling, mu=mu, bonds=bonds, strengths=strengths, memory=memory)
            for member in self.models
        ]
        return CommitteeField(self, fields)

    def potentials(self, field: Field) -> Potentials:
        """Raises UserError: members are trained, one by one."""
        raise UserError(f"training {self!r}", allowed="single models")

    def save(self, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None) -> Path:
        """Write the members and their calibration into one folder and return it; ``sdgnn.load(folder)`` reads it."""
        folder = Path(path)
        if provenance is not None:
            self.provenance = provenance
        files = [f"member-{k}.safetensors" for k in range(len(self.members))]
        for file, member in zip(files, self.models, strict=True):
            member.save(folder / file)
        record = {
            "format": FORMAT,
            "sdgnn": VERSION,
            "members": files,
            "calibration": asdict(self.calibration),
            "provenance": self.provenance,
        }
        write_json(folder / RECORD, record)
        return folder

    def __repr__(self) -> str:
        c = self.calibration
        limit = f", 99 % of held-out sites below {c.limit:.2g} t" if c.limit is not None else ", not calibrated"
        law = f"error^2 = ({c.factor:.2f} x deviation)^2 + ({c.common:.2g} t)^2"
        return f"Committee of {len(self.members)} ({law}{limit}) of {self.members[0]!r}"


@unchanging
class CommitteeField(Combination):
    """Mean energy and field of a committee on one lattice, from the fields of its members there, its ``parts``.

    ``torque_error`` of its result is the predicted error.

    For each site, that is the :class:`Calibration` of d = sqrt( sum_k |T_k - mean T|^2 / (3 (M - 1)) ) over the M
    members' torque parts T_k = H_k - (H_k . S) S / |S|^2: the expected root mean square error of the mean torque per
    Cartesian component.
    (B. Lakshminarayanan, A. Pritzel, C. Blundell, arXiv:1612.01474, for committees of networks that differ by seed.)
    """

    network: Committee

    def __init__(self, network: Committee, parts: Sequence[Field]) -> None:
        self.network, self.parts, self.lattice = network, tuple(parts), parts[0].lattice

    def of(self, parts: tuple[Field, ...]) -> CommitteeField:
        return CommitteeField(self.network, parts)

    @property
    def calibration(self) -> Calibration:
        """The committee's calibration."""
        return self.network.calibration

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        results = [member.evaluate(spins, time) for member in self.parts]
        first = results[0].field
        # relative to the first, members that agree do so without rounding
        fields = torch.stack([result.field - first for result in results])
        mean = fields.mean(0)
        c, deviation = self.calibration, torque_deviation(fields - mean, spins.to(mean))
        return FieldResult(
            energy=torch.stack([result.energy for result in results]).mean(0),
            field=first + mean,
            torque_error=torch.hypot(c.factor * deviation, torch.full_like(deviation, c.common)),
        )

    def __repr__(self) -> str:
        return f"{self.network!r}; {len(self.parts)} of {self.parts[0]!r}"


def torque_deviation(
    deviations: Float[Tensor, "member replica site 3"], spins: Float[Tensor, "replica site 3"]
) -> Float[Tensor, "replica site"]:
    """Standard deviation of the torque part per component, from the members' deviations of the field from its mean."""
    along = (deviations * spins).sum(-1).square() / spins.square().sum(-1)
    transverse = (deviations.square().sum(-1) - along).clamp_min(0.0)
    return (transverse.sum(0) / (3 * (len(deviations) - 1))).sqrt()


def read_record(folder: Path) -> tuple[list[Path], Calibration, dict[str, Any]]:
    """The members' files, the calibration and the provenance of the committee in a folder.

    Raises UserError on a record that is missing, damaged or of a newer format.
    """
    try:
        record = read_json(folder / RECORD)
        if int(record["format"]) > FORMAT:
            raise UserError(f"{folder} of format {record['format']}", allowed=f"formats up to {FORMAT}")
        members = [Path(str(name)) for name in record["members"]]
        if any(Path(member.name) != member for member in members):
            raise UserError(f"{folder / RECORD} names members outside its folder", allowed="files beside it")
        calibration, provenance = Calibration.from_dict(record["calibration"]), dict(record["provenance"])
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder} holds no committee ({error!r})", allowed="a folder written by sdgnn") from error
    return [folder / member for member in members], calibration, provenance

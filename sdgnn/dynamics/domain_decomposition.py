"""One run on several processes: each holds a subdomain of the crystal and gets the halos from its two neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.processes import is_first, total
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.protocol import halo_of, part_of
from sdgnn.fields.schedules import Time
from sdgnn.fields.wrapper import Wrapper
from sdgnn.lattice import Lattice, halo_cells
from sdgnn.lattice.blocks import cells_of_parts


@dataclass(frozen=True)
class Subdomain:
    """Planes of unit cells along the first axis of a crystal, the same number for all processes but for one.

    Sites count plane by plane, so those of a subdomain are consecutive; noise, which depends on a site's number alone,
    is that of the undivided run.
    """

    whole: Lattice
    """The crystal."""
    planes: tuple[int, ...]
    """Planes of each process."""
    rank: int
    """Number of this process."""
    halo: int
    """Planes beyond the subdomain that its fields depend on."""

    @classmethod
    def of(cls, field: Field) -> Subdomain:
        """The part of this process. Raises UserError where there are too many processes for the field's halo."""
        lattice, count = field.lattice, dist.get_world_size()
        distance = halo_of(field)
        if distance is None or lattice.shape is None:
            raise UserError(
                f"{field!r} on several processes",
                allowed="networks and classical fields on crystals, whose halo is a finite distance",
            )
        halo, length = int(halo_cells(lattice, distance)[0]), lattice.shape[0]
        planes = tuple(map(len, cells_of_parts(length, count)))
        if min(planes) < max(halo, 1):
            raise UserError(
                f"{count} processes for {length} planes of unit cells along the first axis",
                allowed=f"at most {max(1, length // max(halo, 1))}, since fields depend on spins {halo} planes away",
                fix="start fewer processes, or turn the longest axis of the lattice to the front",
            )
        return cls(lattice, planes, dist.get_rank(), halo)

    @property
    def plane(self) -> int:
        """Sites of one plane."""
        return self.whole.n_sites // sum(self.planes)

    @property
    def sites(self) -> slice:
        """The sites of this process in the crystal."""
        first = sum(self.planes[: self.rank])
        return slice(first * self.plane, (first + self.planes[self.rank]) * self.plane)

    def crystal(self, beyond: int) -> Lattice:
        """A crystal of this subdomain and ``beyond`` planes on either side; where it closes, fields mean nothing."""
        assert self.whole.shape is not None
        return self.whole.resized(self.planes[self.rank] + 2 * beyond, *self.whole.shape[1:])

    def with_halo(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica wide 3"]:
        """The spins of this subdomain between those of its neighbours."""
        if not self.halo:
            return spins
        count, wide = len(self.planes), self.halo * self.plane
        before, after = (self.rank - 1) % count, (self.rank + 1) % count
        left, right = (torch.empty_like(spins[:, :wide]) for _ in range(2))
        sent = [spins[:, :wide].contiguous(), spins[:, -wide:].contiguous()]
        waiting = dist.batch_isend_irecv([
            dist.P2POp(dist.isend, sent[0], before, tag=0),
            dist.P2POp(dist.isend, sent[1], after, tag=1),
            dist.P2POp(dist.irecv, right, after, tag=0),
            dist.P2POp(dist.irecv, left, before, tag=1),
        ])  # fmt: skip
        for transfer in waiting:
            transfer.wait()
        return torch.cat([left, spins, right], dim=1)

    def gathered(self, values: Float[Tensor, "replica site *numbers"]) -> Float[Tensor, "replica all *numbers"]:
        """Vectors or numbers on the sites of all subdomains, on the first process; on others, of this one."""
        longest = max(self.planes) * self.plane
        padded = values.new_zeros(len(values), longest, *values.shape[2:])
        padded[:, : values.shape[1]] = values
        parts = [torch.empty_like(padded) for _ in self.planes] if is_first() else None
        dist.gather(padded, parts, dst=0)
        if parts is None:
            return values
        return torch.cat([part[:, : n * self.plane] for part, n in zip(parts, self.planes, strict=True)], dim=1)

    def share(self, state: State) -> State:
        """The part of this process in a state of the crystal."""
        return replace(state, spins=state.spins[:, self.sites].clone(), first_site=self.sites.start, cached=None)

    def gathered_state(self, state: State, field: Field) -> State:
        """The state of the crystal, with the cached result of ``field``; on the first process."""
        cached = None if state.cached is None else (field, state.result(field).with_sites(self.gathered))
        return replace(state, spins=self.gathered(state.spins), first_site=0, cached=cached)

    def __repr__(self) -> str:
        planes = f"{min(self.planes)} to {max(self.planes)}"
        return f"subdomains of {planes} planes with halos of {self.halo}, one on each process"


class SubdomainField(Wrapper):
    """A local field on the subdomain of this process; its energy is that of the whole crystal."""

    def __init__(self, field: Field, subdomain: Subdomain) -> None:
        super().__init__(field)
        self.subdomain, self.lattice = subdomain, subdomain.crystal(0)
        halo, own = subdomain.halo * subdomain.plane, subdomain.planes[subdomain.rank] * subdomain.plane
        self._own = slice(halo, halo + own)
        self._wide = part_of(field, subdomain.crystal(subdomain.halo), self._own, total)

    def pairs(self) -> None:
        """None: pairs of sites lead out of the subdomain."""

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        wide = self._wide.evaluate(self.subdomain.with_halo(spins), time)
        return wide.with_sites(lambda values: values[:, self._own].contiguous())

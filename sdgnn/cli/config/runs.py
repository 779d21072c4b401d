"""Sections of simulations: first states and integrators."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.common.settings import Count, NotNegative
from sdgnn.data.sampling import Order
from sdgnn.dynamics.integrators.settings import IntegratorSettings, MonteCarloSettings, ParallelTemperingSettings
from sdgnn.train.settings import GuardSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sdgnn.dynamics import Integrator
    from sdgnn.fields import Field
    from sdgnn.lattice import Lattice
    from sdgnn.train.guard import Guard

LARGEST = 1024
"""Sites that a guard labels at once, half a minute of diagonalisation; local moments take lattices of any size."""


class InitialConfig(Config):
    """The spins at time 0."""

    state: Literal["random", Order, "skyrmion_crystal", "file"] = "random"
    """A texture of sdgnn.spins, or what a file holds."""
    file: Path | None = None
    """For state file: OVF 2.0 (.ovf, .omf), or .npz with spins, of which the last time is taken. Every replica starts
    from its one state, or each from its own."""
    options: dict[str, Any] = {}
    """What the texture takes besides the lattice, for example {chirality: -1} or {period: 8}."""
    noise: NotNegative = 0.0
    """Strength g of the noise: S -> (S + g n) / |S + g n|, n standard normal."""

    @model_validator(mode="after")
    def _known_options(self) -> InitialConfig:
        if (self.state == "file") != (self.file is not None):
            raise UserError(f"state {self.state} with file {self.file}", allowed="state: file with a file, or neither")
        if not self.options:
            return self
        from sdgnn import spins as textures

        taken = {"lattice", "replicas", "seed", "dtype"}
        texture = () if self.file is not None else inspect.signature(getattr(textures, self.state)).parameters
        known = [name for name in texture if name not in taken]
        for name in self.options:
            if name not in known:
                raise UserError(
                    f"option {name} of {self.state}",
                    allowed=", ".join(known) or "none",
                    fix=did_you_mean(name, known),
                )
        return self

    def build(self, lattice: Lattice, replicas: int, seed: int, dtype: torch.dtype) -> Tensor:
        """Spins (replica, site, 3), drawn in float64 whatever ``dtype`` they are returned in.

        Raises UserError where the lattice does not allow the texture or is not that of the file.
        """
        from sdgnn import spins as textures

        if self.file is not None:
            from sdgnn.interchange import first_states

            spins = first_states(self.file, lattice, replicas)
        else:
            drawn = {"seed": seed} if self.state == "random" else {}
            spins = getattr(textures, self.state)(lattice, replicas=replicas, **drawn, **self.options)
        return (textures.noisy(spins, self.noise, seed) if self.noise else spins).to(dtype)


def integrator_of(settings: IntegratorSettings, field: Field, spins: Tensor, dt: float | None = None) -> Integrator:
    """The integrator of these settings; where they have no dt, with this one, else the one suggested for the spins.

    Parallel tempering has that of its moves, at the temperatures of its ladder.
    """
    from sdgnn import dynamics

    if isinstance(settings, ParallelTemperingSettings):
        moves = integrator_of(settings.moves.replace(kT=settings.kT), field, spins, dt)
        return dynamics.ParallelTempering(kT=settings.kT, moves=moves.replace(kT=0.0), every=settings.every)
    scheme: type[Integrator] = getattr(dynamics, settings.scheme.title().replace("-", ""))
    given = {key: value for key, value in settings if key != "scheme"}
    if isinstance(settings, MonteCarloSettings):
        return scheme(**given)
    known = settings.dt or dt
    integrator = scheme(**{**given, "dt": known or 1.0})
    if known:
        return integrator
    if isinstance(integrator, dynamics.HybridMonteCarlo):
        return integrator.with_dt(dynamics.suggest_leap(field, spins, integrator))
    return integrator.with_dt(dynamics.suggest_dt(field, spins, integrator))


class GuardConfig(GuardSettings):
    """What happens when a run leaves the states that the committee which drives it knows."""

    then: Literal["stop", "label"] = "stop"
    """stop ends the run with status 3 and its state saved; label writes labels of such states, by the solver that
    labelled what the committee learned from, to unknown.h5 in the run's folder and goes on."""
    size: tuple[Count, ...] | None = None
    """Unit cells of the piece around the least known sites that is labelled; by default the whole lattice."""

    def build(self, field: Field) -> Guard:
        """The guard of a run of ``field``. Raises UserError when that holds no committee or cannot be labelled."""
        from sdgnn.train.guard import Guard

        exact = None if self.then == "stop" else self._exact(field)
        guard = Guard(exact=exact, **{name: getattr(self, name) for name in GuardSettings.model_fields})
        guard.limit_in(field)
        return guard

    def _exact(self, field: Field) -> Field:
        from sdgnn.data import Origin
        from sdgnn.data.solvers import build
        from sdgnn.train.guard import committee_in

        made = committee_in(field).network.provenance
        if "physics" not in made:
            raise UserError("a guard that labels, with a committee of unknown Hamiltonian", fix="use guard.then=stop")
        origin = Origin(**made["physics"])
        lattice = field.lattice if self.size is None else field.lattice.resized(*self.size)
        if lattice.n_sites > LARGEST and origin.solver.get("name") != "truncated":
            raise UserError(
                f"exact labels of {lattice.n_sites} sites",
                allowed=f"up to {LARGEST}",
                fix="give guard.size, the unit cells of a piece that is labelled instead, for example [12, 12]",
            )
        return build(origin, lattice)

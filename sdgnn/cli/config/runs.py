"""Sections of simulations: first states and integrators."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field as Key
from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.common.settings import Count, NotNegative, Positive
from sdgnn.fields.schedules import ScheduleSection

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sdgnn.dynamics import Integrator
    from sdgnn.fields import Field
    from sdgnn.lattice import Lattice
    from sdgnn.train.guard import Guard

SCHEMES = {
    "heun": "Heun",
    "implicit-midpoint": "ImplicitMidpoint",
    "semi-implicit-b": "SemiImplicitB",
    "depondt-mertens": "DepondtMertens",
    "dormand-prince": "DormandPrince",
    "monte-carlo": "MonteCarlo",
}
"""Integrators by the name they have in sdgnn.dynamics."""

DYNAMICS = {"damping": 0.1, "form": "gilbert"}
"""Settings that dynamics has and Monte Carlo has not, where none are given."""

LARGEST = 1024
"""Sites that a guard labels at once, half a minute of diagonalisation; local moments take lattices of any size."""


class InitialConfig(Config):
    """The spins at time 0."""

    state: Literal["random", "ferro", "neel", "stripe", "order120", "tetrahedral", "skyrmion_crystal", "file"] = (
        "random"
    )
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


class IntegratorConfig(Config):
    """How the Landau-Lifshitz-Gilbert equation is integrated."""

    scheme: Literal[
        "heun", "implicit-midpoint", "semi-implicit-b", "depondt-mertens", "dormand-prince", "monte-carlo"
    ] = "depondt-mertens"  # fmt: skip
    """The rotations of Depondt and Mertens, Mentink's semi-implicit scheme B, Heun's predictor-corrector, the implicit
    midpoint rule (for runs without damping), or Dormand and Prince's adaptive steps (kT = 0); or no dynamics but
    Metropolis steps of Monte Carlo in classical fields, which have no dt and no damping."""
    dt: Positive | None = None
    """Time step in hbar / t; without it the one that suggest_dt finds for the first spins. Adaptive steps go from state
    to state in substeps of their own."""
    tolerance: Positive | None = None
    """Largest error of a spin in one adaptive substep (radian), 1e-6 by default; or largest change of a spin in the
    last iteration of the midpoint rule, 1e-11 by default."""
    damping: NotNegative | tuple[NotNegative, ...] | None = None
    """Gilbert damping alpha, 0.1 by default; one number, or one per replica; Monte Carlo has none."""
    kT: NotNegative | tuple[NotNegative, ...] | ScheduleSection = 0.0
    """Temperature of the spins' bath (not that of the electrons); one number, one per replica, or a schedule in time,
    for example {kind: quench, before: 0.5, after: [0.1, 0.01], at: 100}."""
    form: Literal["gilbert", "landau-lifshitz"] | None = None
    """gilbert, the default, divides by 1 + alpha^2, landau-lifshitz does not; Monte Carlo has neither."""
    overrelaxation: Annotated[int, Key(ge=0)] = 0
    """Sweeps of overrelaxation in each step of Monte Carlo."""

    @model_validator(mode="before")
    @classmethod
    def _moves_in_time(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("scheme") == "monte-carlo":
            return given
        return {**given, **{key: value for key, value in DYNAMICS.items() if given.get(key) is None}}

    @model_validator(mode="after")
    def _tolerates(self) -> IntegratorConfig:
        if self.tolerance is not None and self.scheme not in ("implicit-midpoint", "dormand-prince"):
            raise UserError(
                f"tolerance of scheme {self.scheme}", allowed="schemes implicit-midpoint and dormand-prince with it"
            )
        if self.overrelaxation and self.scheme != "monte-carlo":
            raise UserError(
                f"overrelaxation = {self.overrelaxation} of scheme {self.scheme}", allowed="scheme monte-carlo with it"
            )
        given = [key for key in ("dt", *DYNAMICS) if getattr(self, key) is not None]
        if self.scheme == "monte-carlo" and given:
            raise UserError(
                f"{' and '.join(given)} of scheme monte-carlo, which has no time",
                allowed="kT and overrelaxation",
                fix=f"leave {' and '.join(given)} out",
            )
        return self

    def build(self, field: Field, spins: Tensor, dt: float | None = None) -> Integrator:
        """The integrator; where the configuration gives no dt, with this one, else the one suggested for the spins."""
        from sdgnn import dynamics

        if self.scheme == "monte-carlo":
            return dynamics.MonteCarlo(kT=self.kT, overrelaxation=self.overrelaxation)
        tolerance = {} if self.tolerance is None else {"tolerance": self.tolerance}
        integrator: Integrator = getattr(dynamics, SCHEMES[self.scheme])(
            dt=self.dt or dt or 1.0, damping=self.damping, kT=self.kT, form=self.form, **tolerance
        )
        return integrator if self.dt or dt else integrator.with_dt(dynamics.suggest_dt(field, spins, integrator))


class GuardConfig(Config):
    """What happens when a run leaves the states that the committee which drives it knows."""

    then: Literal["stop", "label"] = "stop"
    """stop ends the run with status 3 and its state saved; label writes labels of such states, by the solver that
    labelled what the committee learned from, to unknown.h5 in the run's folder and goes on."""
    limit: Positive | None = None
    """Predicted torque error (t, rms per component) beyond which a site is unknown; by default what 99 % of the sites
    of the committee's held-out states stay below."""
    share: Annotated[float, Key(ge=0, le=1)] = 0.05
    """Part of a replica's sites that may be unknown; 1 never acts."""
    every: Count = 10
    """Steps between looks; unknown_share is recorded at each."""
    size: tuple[Count, ...] | None = None
    """Unit cells of the piece around the least known sites that is labelled; by default the whole lattice."""
    window: Count = 100
    """Steps for which a replica is left alone after one of its states was labelled."""
    most: Count = 50
    """Labelled states after which the run stops all the same."""

    def build(self, field: Field) -> Guard:
        """The guard of a run of ``field``. Raises UserError when that holds no committee or cannot be labelled."""
        from sdgnn.train.guard import Guard

        exact = None if self.then == "stop" else self._exact(field)
        guard = Guard(self.limit, self.share, self.every, exact, self.window, self.most)
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

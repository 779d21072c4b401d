"""Simulations: a thin loop over an integrator's steps, with observers, checkpoints and resumption."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from zarr.storage import MemoryStore

from sdgnn.common.above import exported
from sdgnn.common.arrays import Numbers
from sdgnn.common.differences import differences
from sdgnn.common.errors import UserError
from sdgnn.common.files import content_hash, plain, read_json, write_json
from sdgnn.common.identity import content
from sdgnn.common.locking import sole_writer
from sdgnn.common.processes import first_alone, is_first, together
from sdgnn.common.progress import progress_bar
from sdgnn.common.provenance import provenance
from sdgnn.dynamics import trajectory
from sdgnn.dynamics.checkpoint import last_checkpoint
from sdgnn.dynamics.domain_decomposition import Subdomain, SubdomainField
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.observers import Observer, Watcher, check_observers, standard
from sdgnn.dynamics.recorder import Recorder, plain_repr
from sdgnn.dynamics.state import State
from sdgnn.dynamics.step_size import StepWatch
from sdgnn.dynamics.trajectory import open_trajectory
from sdgnn.dynamics.writer import Writer
from sdgnn.fields import Field

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

SETTINGS_NAME = "run.json"
"""The name of the settings in a run's folder."""
MOST_STEPS = 2**53
"""Steps at most: times are whole multiples of dt up to these."""
CONTENT = "content"
"""Which of the settings says what the field is made of."""
ENERGY_TOLERANCE = 1e-4
"""Relative difference of the first energies from which on a field of the same content counts as another one; below it
lies what machines and numbers of threads make of one field in float32."""


@dataclass(frozen=True, eq=False)
class Run:
    """A simulation that has come to its end."""

    state: State
    """The last state; an integrator can step on from here."""
    field: Field
    integrator: Integrator
    store: Any
    """Where the trajectory lies: the run's folder, or a zarr store in memory."""

    @property
    def spins(self) -> Float[Tensor, "replica site 3"]:
        """The last spins."""
        return self.state.spins

    @property
    def time(self) -> float:
        """The last time, in hbar / t."""
        return self.state.time

    @property
    def trajectory(self) -> xarray.Dataset:
        """What the observers saw, see :func:`sdgnn.dynamics.open_trajectory`."""
        return open_trajectory(self.store)

    def measure(self, *names: str) -> xarray.Dataset:
        """Order parameters, skyrmion number and other measures over time and replica, see :func:`sdgnn.measure`::

        run.measure("skyrmion_number", "chirality")
        """
        found: xarray.Dataset = exported("measure")(self, *names)
        return found

    def plot(self, *what: str, time: float | Sequence[float] | None = None, replica: int = 0) -> Figure:
        """A figure of what happened: states, energy and order, or ``what`` is named, see :func:`sdgnn.plot`::

        run.plot("spins", "chirality", time=[0, 50])
        """
        figure: Figure = exported("plot")(self, *what, time=time, replica=replica)
        return figure

    def __repr__(self) -> str:
        replicas, sites, _ = self.spins.shape
        magnetization = float(self.spins.mean(1).norm(dim=-1).mean())
        where = f", in {self.store}" if isinstance(self.store, Path) else ""
        return (
            f"Run: {self.state.step} steps to time {self.time:g} of {replicas} replicas with {sites} sites, "
            f"|mean spin| {magnetization:.3f}, by {self.integrator!r} in {self.field!r}{where}"
        )


def simulate(
    field: Field,
    spins: Numbers,
    integrator: Integrator,
    steps: int,
    *,
    seed: int = 0,
    observers: Sequence[Observer] | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
    checkpoint_every: int = 1000,
    streams: Sequence[int] | None = None,
    guard: Watcher | None = None,
) -> Run:
    """Spin dynamics from ``spins`` for ``steps`` steps.

    ================== ==============================================================================================
    argument           meaning
    ================== ==============================================================================================
    field              what drives the spins
    spins              (replica, site, 3) unit vectors; their dtype and device are those of the state
    integrator         how to step: DepondtMertens, SemiImplicitB, Heun, ImplicitMidpoint, or DormandPrince at kT = 0
    steps              number of steps, counted from the very beginning also when resuming
    seed               of the thermal noise
    observers          what to record; spins, energy and magnetization every 10 steps if not given
    folder             where trajectory.zarr, checkpoint.npz and run.json go; in memory if not given
    resume             go on from the folder's checkpoint (from the start, where there is none)
    progress           show a bar with the time left
    checkpoint_every   steps between checkpoints
    streams            numbers of the replicas' noise streams, see :meth:`Integrator.init`
    guard              what to do when the run leaves the states that a committee knows, see :class:`sdgnn.Guard`
    ================== ==============================================================================================

    What a run is made of is told by content (:func:`.content`): weights, terms, disorder and seeds of the
    field, lattice, first spins, integrator and observers, not by names of files.

    An interrupted and resumed run equals an uninterrupted one bit for bit; memory does not grow with the number of
    steps when a folder is given. Whatever ends the run (exception, kill), what was written stays readable, see
    :func:`open_trajectory`. A damaged checkpoint is passed over for the one before it (DamagedFileWarning).

    Raises UserError on spins that are not unit vectors on the field's lattice, on a folder that already holds a run
    when not resuming, on one that another process writes into, and when the settings to resume with are not those of
    the folder's run; NumericalError, naming step and replica, when numbers go wrong on the way; UnknownStates when the
    guard stops the run. Warns (StepSizeWarning) when dt is too large for the path or for the bath's temperature, or
    when the energy of a run without damping drifts, see :class:`sdgnn.dynamics.step_size.StepWatch`.
    """
    for number, least in ((steps, 0), (checkpoint_every, 1)):
        if not least <= number <= MOST_STEPS or int(number) != number:
            raise UserError(
                f"{steps} steps with a checkpoint every {checkpoint_every}",
                allowed=f"whole numbers, >= 0 and >= 1, up to 2^53 = {MOST_STEPS}",
            )
    if guard is not None and together():
        raise UserError("a guard of a run on several processes", allowed="one process, or no guard")
    if resume and folder is None:
        raise UserError("resuming without a folder", allowed="the folder of the run to go on with")
    place = None if folder is None else Path(folder)
    watching = [] if guard is None else [guard.observer(field, place)]
    chosen = check_observers([*(standard() if observers is None else observers), *watching])
    state = integrator.init(field, spins, seed, streams)
    part = Subdomain.of(field) if together() else None
    own = field if part is None else SubdomainField(field, part)

    def share(whole: State) -> State:
        return whole if part is None else part.share(whole)

    def gather(state: State) -> State:
        return state if part is None else part.gathered_state(state, own)

    with ExitStack() as held:
        if place is not None:
            state = state.evaluated(field) if part is None else state
            energy = share(state).result(own).energy
            with first_alone() as mine:
                if mine:
                    held.enter_context(sole_writer(place))
                    _enter(place, describe(field, state, energy, integrator, chosen), steps, resume)
            state = (last_checkpoint(place, state.spins.device) if resume else None) or state
            if state.step > steps:
                raise UserError(f"{steps} steps of a run that has done {state.step}", allowed=f"steps >= {state.step}")
        elif part is not None:
            raise UserError("a run on several processes without a folder", allowed="a folder that all of them see")
        store = MemoryStore() if place is None else place
        recorder = Recorder(store if place is None else place / trajectory.NAME, field, integrator, chosen)
        writer = Writer(own, recorder, place, gather)
        end = _drive(own, share(state), integrator, steps, writer, checkpoint_every, progress)
        return Run(gather(end), field, integrator, store)


def _drive(
    field: Field, state: State, integrator: Integrator, steps: int, writer: Writer, checkpoint_every: int,
    progress: bool,
) -> State:  # fmt: skip
    """Step from ``state`` to the end; whatever ends it, what was seen and the last state are written."""
    try:
        state = writer.begin(state, steps)
        with progress_bar("simulating", steps, "steps", state.step, progress and is_first()) as advance:
            watch = StepWatch(field, integrator, steps)
            while state.step < steps:
                state = writer.record(integrator.step(field, watch(state)))
                if state.step % checkpoint_every == 0:
                    writer.save(state)
                advance(state.step)
    except BaseException:
        writer.interrupted(state)
        raise
    writer.save(state)
    return state


def describe(
    field: Field, state: State, energy: Float[Tensor, " replica"], integrator: Integrator,
    observers: Sequence[Observer],
) -> dict[str, Any]:  # fmt: skip
    """What determines a run besides its length, in plain values: two runs with equal descriptions are the same.

    ``state`` is the first state, and ``energy`` its energy.
    """
    return {
        "field": plain_repr(field),
        CONTENT: content(field),
        "lattice": field.lattice.to_dict(),
        "integrator": integrator.to_dict(),
        "seed": state.seed,
        "replicas": list(state.streams),
        "dtype": str(state.spins.dtype),
        "initial_spins": content_hash(state.spins.cpu().numpy()),
        "initial_energy": energy.tolist(),
        "observers": [observer.to_dict() for observer in observers],
    }


def recorded_settings(folder: Path) -> dict[str, Any]:
    """The settings in the run.json of a folder, empty where there is none. Raises UserError on one that is damaged."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        return {}
    try:
        return dict(read_json(path)["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error!r})", allowed="the run.json of a run") from error


def _enter(place: Path, settings: dict[str, Any], steps: int, resume: bool) -> None:
    """Writes run.json into a new folder. Raises UserError where a run of other ``settings`` is in the folder."""
    path = place / SETTINGS_NAME
    if not path.is_file():
        if (place / trajectory.NAME).exists():
            raise UserError(f"{place} holds a trajectory without its {SETTINGS_NAME}", fix="choose another folder")
        record = {"settings": settings, "steps": steps, "provenance": provenance()}
        write_json(path, record)
        return
    if not resume:
        raise UserError(f"{place} already holds a run", fix="choose another folder, or go on with it by resume=True")
    before, now = plain(recorded_settings(place)), plain(settings)
    if CONTENT not in before:  # of an earlier version
        del now[CONTENT]
    elif before[CONTENT] == now[CONTENT]:
        now["field"] = before["field"]
    energies = before.get("initial_energy"), now["initial_energy"]
    if np.shape(energies[0]) == np.shape(energies[1]) and np.allclose(*energies, rtol=ENERGY_TOLERANCE):
        before["initial_energy"] = now["initial_energy"]
    if different := differences(before, now):
        raise UserError(
            f"resuming {place} with other settings: {different} (there and asked for)",
            fix="resume with the settings of the run, or start in another folder",
        )

"""The locality floor beside every error: at the halo of each field, for the states it is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sdgnn import spins as textures
from sdgnn.analysis.locality.ensembles import Independent, StateEnsemble, noisy_order
from sdgnn.analysis.locality.floor import LocalityFloor, locality_floor
from sdgnn.cli.commands.console import timed
from sdgnn.cli.config.locality import FloorConfig
from sdgnn.common.progress import progress_bar
from sdgnn.data import LabelSet
from sdgnn.data.sampling import ordered
from sdgnn.fields import Field, Heisenberg
from sdgnn.lattice import LENGTH_TOLERANCE
from sdgnn.lattice.periodic import inner_radius
from sdgnn.nn import NetworkField, SiteField
from sdgnn.nn.baselines.two_energies import TwoEnergiesField
from sdgnn.train import Comparison, Floor


def field_halo(field: Field) -> float | None:
    """Halo of a field, in nearest-neighbour distances; None where it is not known or not bounded.

    That of a network is twice the cutoff of its energies, that of a Heisenberg model the distance of its last shell.
    """
    if isinstance(field, NetworkField):
        return field.halo
    if isinstance(field, SiteField | TwoEnergiesField):
        return 2.0 * field.network.cutoff
    if isinstance(field, Heisenberg):
        return float(field.lattice.shell_distances(len(field.couplings))[-1])
    return None


def ensembles_of(labels: LabelSet) -> dict[str, StateEnsemble]:
    """Ensembles of the label set's own random and noisy ordered states, by protocol; others have no known law."""
    ensembles: dict[str, StateEnsemble] = {"random": Independent(textures.random)} if "random" in labels.counts else {}
    for protocol in labels.origin.protocols:
        if protocol.get("protocol") == "noisy_order":
            for strength in protocol["strengths"]:
                draw = noisy_order(partial(ordered, protocol["order"]), strength)
                ensembles[f"{protocol['order']} noise {strength:g}"] = Independent(draw)
    return {name: ensemble for name, ensemble in ensembles.items() if name in labels.counts}


def with_floors(
    errors: Comparison,
    fields: Mapping[str, Field],
    labels: LabelSet,
    exact: Field,
    ensembles: Mapping[str, StateEnsemble],
    sampling: FloorConfig,
    seed: int = 0,
) -> Comparison:
    """``errors`` with the floor at each field's halo, measured with ``exact`` on its lattice, by known ensemble.

    Over all states the floors' mean squares are averaged as the states are, if every protocol has an ensemble. A field
    whose halo exceeds half the lattice of ``exact`` gets none.
    """
    widest = inner_radius(exact.lattice.cell) + LENGTH_TOLERANCE
    halos = {name: halo for name, field in fields.items() if (halo := field_halo(field)) and halo <= widest}
    radii = sorted(set(halos.values()))
    if not radii or not ensembles:
        return errors
    measured = measure_floors(exact, radii, ensembles, sampling, seed)
    floors: dict[tuple[str, str], Floor] = {}
    for name, halo in halos.items():
        at = {protocol: floor_at(floor, halo) for protocol, floor in measured.items()}
        floors |= {(name, protocol): floor for protocol, floor in at.items()}
        if set(labels.counts) <= set(at):
            floors[name, "all"] = _mean([at[p] for p in labels.counts], list(labels.counts.values()))
    return replace(errors, floors=floors)


def measure_floors(
    exact: Field, radii: Sequence[float], ensembles: Mapping[str, StateEnsemble], sampling: FloorConfig, seed: int
) -> dict[str, LocalityFloor]:
    """The floor of each ensemble of states at all radii, each with a progress bar."""
    environments, redraws = sampling.environments, sampling.redraws
    states = len(radii) * environments * redraws
    floors: dict[str, LocalityFloor] = {}
    for name, ensemble in ensembles.items():
        told = f"{name}: {environments} environments"
        with timed(told), progress_bar("locality floor", states, "states") as advance:
            floors[name] = locality_floor(exact, radii, environments, redraws, seed, ensemble, advance)
    return floors


def floor_at(floor: LocalityFloor, halo: float) -> Floor:
    """The entry of a floor that was measured at this halo."""
    k = floor.radii.index(halo)
    return Floor(floor.radii[k], float(floor.rmse[k]), float(floor.rmse_error[k]), floor.rms)


def _mean(floors: list[Floor], states: list[int]) -> Floor:
    """The floor over all states; errors of the ensembles are independent."""
    share = np.array(states) / sum(states)
    rmse = float(share @ [floor.rmse**2 for floor in floors]) ** 0.5
    rms = float(share @ [floor.rms**2 for floor in floors]) ** 0.5
    error = float(np.linalg.norm(share * [floor.rmse * floor.error for floor in floors])) / rmse if rmse else 0.0
    return Floor(floors[0].halo, rmse, error, rms)

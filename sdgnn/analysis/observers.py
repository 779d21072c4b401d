"""Ready observers by name: what a run can measure on the fly."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from sdgnn.analysis.domains.clusters import length_from_clusters, length_from_walls, site_graph
from sdgnn.analysis.domains.lengths import length_from_correlation, length_from_structure_factor
from sdgnn.analysis.orders.chirality import mean_absolute_chirality, mean_chirality, site_chirality, triangle_sites
from sdgnn.analysis.orders.correlations import local_nematicity, parallel_bonds, spin_correlation
from sdgnn.analysis.orders.skyrmions import skyrmion_number
from sdgnn.analysis.spectra.static import require_crystal, structure_factor, wave_vectors
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.dynamics import Integrator, observers
from sdgnn.dynamics.observers import Coordinate, Observer
from sdgnn.fields import Field
from sdgnn.lattice import Lattice


class Measure(NamedTuple):
    """What states of spins are measured by."""

    function: Callable[..., Tensor]
    """(spins, lattice) -> (replica, *dims)."""
    dims: tuple[str, ...]
    units: str
    long_name: str
    plane: bool = False
    """Whether the triangles of a two-dimensional lattice are needed."""
    crystal: bool = True
    """Whether a crystal is needed."""

    @property
    def attributes(self) -> dict[str, str]:
        """What a labelled array says about its numbers."""
        return {"units": self.units, "long_name": self.long_name}


def _of_map(function: Callable[..., Tensor]) -> Callable[[Tensor, Lattice], Tensor]:
    """``function`` of the map :func:`~sdgnn.analysis.orders.chirality.site_chirality`."""
    return lambda spins, lattice: function(site_chirality(spins, lattice), lattice)


def _of_phases(function: Callable[..., Tensor]) -> Callable[[Tensor, Lattice], Tensor]:
    """``function`` of the signs of that map and :func:`.site_graph`."""
    return lambda spins, lattice: function(site_chirality(spins, lattice).sign().long(), site_graph(lattice))


LENGTH = "nearest-neighbour distance"
"""Unit of lengths."""

MEASURES: dict[str, Measure] = {
    "chirality": Measure(mean_chirality, (), "1", "mean scalar chirality", True, False),
    "absolute_chirality": Measure(mean_absolute_chirality, (), "1", "mean of |chi| over triangles", True, False),
    "chirality_map": Measure(
        site_chirality, ("site",), "1", "mean scalar chirality of the triangles around a site", True, False
    ),
    "chirality_structure_factor": Measure(
        _of_map(structure_factor), ("wave_vector",), "1", "structure factor of the chirality map", True
    ),
    "domain_length": Measure(
        _of_map(length_from_correlation), (), LENGTH, "chirality domains, half height of C(r)", True
    ),
    "domain_length_moment": Measure(
        _of_map(length_from_structure_factor), (), LENGTH, "chirality domains, first moment of S(q)", True
    ),
    "domain_length_walls": Measure(
        _of_phases(length_from_walls), (), LENGTH, "chirality domains, area over length of walls", True, False
    ),
    "domain_length_clusters": Measure(
        _of_phases(length_from_clusters), (), LENGTH, "chirality domains, root of area over number", True, False
    ),
    "nearest_neighbour_correlation": Measure(
        lambda spins, lattice: spin_correlation(spins, lattice)[:, 0], (), "1", "mean S_i . S_j of nearest neighbours"
    ),
    "nematic_map": Measure(
        local_nematicity, ("site",), "1", "difference of S_i . S_j between bonds along x and y at a site", True
    ),
    "parallel_bonds": Measure(parallel_bonds, (), "1", "share of nearest-neighbour bonds with S_i . S_j > 1/2"),
    "skyrmion_number": Measure(skyrmion_number, (), "1", "skyrmion number", True, False),
    "structure_factor": Measure(structure_factor, ("wave_vector",), "1", "structure factor of the spins"),
}
"""By name."""

BASIC: dict[str, Callable[[int], Observer]] = {
    "spins": observers.spins,
    "energy": observers.energy,
    "magnetization": observers.magnetization,
    "walker": observers.walker,
    "torque_error": observers.torque_error,
    "density": observers.density,
    "chemical_potential": observers.chemical_potential,
}
"""Observers that need no lattice, by name."""

NAMES = (*BASIC, *MEASURES)
"""Every name that :func:`observer` knows for a lattice alone."""

RUN: dict[str, Callable[[Field, Integrator, int], Observer]] = {
    "spin_temperature": lambda field, integrator, every: observers.spin_temperature(field, every),
    "bath_temperature": lambda field, integrator, every: observers.bath_temperature(integrator, every),
    "external_field": lambda field, integrator, every: observers.external_field(field, every),
}
"""Observers of a run's field and integrator, by name."""


def available(lattice: Lattice) -> tuple[str, ...]:
    """Names of the observers that ``lattice`` allows."""
    return *BASIC, *(
        name
        for name, measure in MEASURES.items()
        if (lattice.dim == 2 or not measure.plane) and (lattice.is_crystal or not measure.crystal)
    )


def observer(name: str, lattice: Lattice, every: int = 10, run: tuple[Field, Integrator] | None = None) -> Observer:
    """The observer ``name`` of states on ``lattice``, measuring every ``every`` steps::

        watch = [sdgnn.analysis.observer(name, lattice, every=10) for name in ("energy", "domain_length")]
        run = sdgnn.simulate(field, spins, integrator, steps=1000, observers=watch)

    ``run``, its field and integrator, is needed by the observers of these.

    ============================== =============== ==============================================================
    name                           dims            what
    ============================== =============== ==============================================================
    spins                          site, component unit vectors
    energy                                         of the whole lattice
    magnetization                  component       mean spin
    walker                                         number of the state that is here, of parallel tempering
    torque_error                   site            predicted by a committee
    density                        site            electrons n_i, NaN in fields without electrons
    chemical_potential                             mu of the electrons in t, NaN in fields without electrons
    spin_temperature                               of the spins in the field of ``run``
    bath_temperature                               kT of the integrator of ``run``, also where it depends on time
    external_field                 component       Zeeman field of ``run``
    chirality                                      mean scalar chirality
    absolute_chirality                             mean |chi| of the triangles
    chirality_map                  site            mean chi of the triangles around each site
    chirality_structure_factor     wave_vector     S(q) of that map
    domain_length                                  half height of the map's correlation function
    domain_length_moment                           2 pi / first moment of the map's structure factor
    domain_length_walls                            area / length of the walls between the signs of the map
    domain_length_clusters                         sqrt(area / number of clusters of one sign of the map)
    nearest_neighbour_correlation                  <S_i . S_j>
    nematic_map                    site            mean cos(2 theta) S_i . S_j of the bonds of each site
    parallel_bonds                                 share of nearest-neighbour bonds with S_i . S_j > 1/2
    skyrmion_number                                Q from solid angles
    structure_factor               wave_vector     S(q) at ``wave_vectors(lattice)``
    ============================== =============== ==============================================================

    Those above ``chirality`` are explained in :mod:`sdgnn.dynamics.observers`. Raises UserError on an unknown
    name, on a lattice that does not allow the observer, and without ``run`` where that is needed.
    """
    if name in RUN and run is not None:
        return RUN[name](*run, every)
    if name not in NAMES:
        known = (*NAMES, *RUN) if run is not None else NAMES
        raise UserError(
            f"an observer named {name!r}" + (" without a run" if name in RUN else ""),
            allowed=", ".join(known),
            fix=did_you_mean(name, known),
        )
    if name in BASIC:
        return BASIC[name](every)
    function, dims, units, long_name, plane, crystal = MEASURES[name]
    if plane:
        triangle_sites(lattice)
    if crystal:
        require_crystal(lattice)
    along = {"q": q_coordinate(lattice)} if "wave_vector" in dims else {}
    return Observer(name, lambda state, result: function(state.spins, lattice), dims, every, units, long_name, along)


def q_coordinate(lattice: Lattice) -> Coordinate:
    """The wave vectors of structure factors, ``q`` (wave_vector, axis)."""
    attributes = {"units": "1 / nearest-neighbour distance", "long_name": "wave vector"}
    return ("wave_vector", "axis"), wave_vectors(lattice), attributes

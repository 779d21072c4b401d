"""Clusters followed through time: how far they move, and how many are left."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.analysis.domains.clusters import DomainGraph, cluster_labels
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import nearest_image


def track(
    phases: Iterable[Int[Tensor, "replica site"]], graph: DomainGraph, lattice: Lattice, smallest: float = 0.0
) -> tuple[Float[Tensor, "time replica"], Float[Tensor, "time replica"]]:
    """Mean squared displacement of the clusters in the phase > 0 since the first state, and the share that is left.

    ``phases``: states one after another, near enough in time that a cluster overlaps with what it becomes;
    ``graph``: :func:`.site_graph` of ``lattice``. A cluster of the first state, of an area of
    at least ``smallest``, becomes the cluster of the next state that shares most of its area, and is lost if there is
    none or if another one has more of its area in that (they have merged). Its displacement is the sum of the steps of
    its centre, each the shortest image; clusters that wrap around the cell have no centre of their own and jump. Freely
    diffusing clusters in two dimensions move <r^2> = 4 D t, frozen ones not at all. Returns (time, replica) each, nan
    displacement where no cluster is left.
    """
    moved, left = [], []
    groups: list[_Group] | None = None
    for now in phases:
        labels = cluster_labels(now, graph).numpy()
        values = now.cpu().numpy()
        if groups is None:
            groups = [_Group(row, label, graph, lattice, smallest) for row, label in zip(values, labels, strict=True)]
        else:
            for group, row, label in zip(groups, values, labels, strict=True):
                group.follow(row, label)
        moved.append([group.squared for group in groups])
        left.append([group.share for group in groups])
    return torch.tensor(moved, dtype=torch.float64, device="cpu"), torch.tensor(left, dtype=torch.float64, device="cpu")


class _Group:
    """The clusters of one replica that are followed."""

    def __init__(
        self, phases: np.ndarray, labels: np.ndarray, graph: DomainGraph, lattice: Lattice, smallest: float
    ) -> None:
        self.graph, self.lattice = graph, lattice
        clusters = _sites_of(labels)
        found = [clusters[label] for label in np.unique(labels[phases > 0])]
        self.members = [sites for sites in found if graph.area[sites].sum() >= smallest]
        self.first = len(self.members)
        self.centres = [self._centre(sites) for sites in self.members]
        self.displacement = [np.zeros(lattice.dim) for _ in self.members]

    @property
    def squared(self) -> float:
        """Mean squared displacement."""
        return float(np.mean([d @ d for d in self.displacement])) if self.displacement else math.nan

    @property
    def share(self) -> float:
        """Share of the first clusters that are left."""
        return len(self.members) / self.first if self.first else math.nan

    def follow(self, phases: np.ndarray, labels: np.ndarray) -> None:
        """Go on to the next state."""
        heirs: dict[int, tuple[float, int]] = {}
        for k, sites in enumerate(self.members):
            kept = sites[phases[sites] > 0]
            if not len(kept):
                continue
            shared = np.bincount(labels[kept], weights=self.graph.area[kept])
            label = int(shared.argmax())
            heirs[label] = max(heirs.get(label, (0.0, -1)), (float(shared[label]), k))
        kept_places = {k: label for label, (_, k) in heirs.items()}
        clusters = _sites_of(labels)
        members, centres, displacement = [], [], []
        for k, label in sorted(kept_places.items()):
            sites = clusters[label]
            centre = self._centre(sites)
            step = nearest_image((centre - self.centres[k])[None], self.lattice.cell)[0]
            members.append(sites)
            centres.append(centre)
            displacement.append(self.displacement[k] + step)
        self.members, self.centres, self.displacement = members, centres, displacement

    def _centre(self, sites: np.ndarray) -> np.ndarray:
        """Centre of area, across the periodic boundary: about the place where the phases of all sites point."""
        cell, area = self.lattice.cell, self.graph.area[sites]
        places = self.lattice.positions[sites]
        turns = np.exp(2j * math.pi * (places @ np.linalg.inv(cell)))
        about = np.angle(area @ turns) / (2 * math.pi) @ cell
        return about + area @ nearest_image(places - about, cell) / area.sum()


def _sites_of(labels: Int[np.ndarray, " site"]) -> list[np.ndarray]:
    """The sites of each cluster 0, 1, ..."""
    return np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])

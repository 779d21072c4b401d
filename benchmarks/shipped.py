"""Writes the shipped models: those trained by configs/models, and walks alone where learning does not pay.

    python benchmarks/shipped.py [NAME ...]

A trained one is taken from results/models/NAME/fast, where `sdgnn train configs/models/NAME/train.yaml` leaves it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sdgnn import Lattice
from sdgnn.common.provenance import provenance
from sdgnn.nn import ElectronsSettings, NetworkSettings, create, load
from sdgnn.nn.storage.load import SHIPPED
from sdgnn.nn.storage.model_file import SUFFIX

TRIANGULAR = ElectronsSettings(hamiltonian={"hopping": [1.0], "exchange": 3.0}, kT=0.05, filling=0.25)
SQUARE = ElectronsSettings(hamiltonian={"hopping": [1.0], "exchange": 6.0}, kT=0.02, filling=0.485)
GLASS = ElectronsSettings(
    hamiltonian={"hopping": {"form": "exponential", "t": 1.0, "decay": 0.4, "cutoff": 1.8}, "exchange": 3.0},
    kT=0.1,
    filling=0.25,
)

WALKS: dict[str, tuple[ElectronsSettings, Lattice, dict[str, Any]]] = {
    "triangular-tetrahedral-accurate": (TRIANGULAR, Lattice.triangular(4, 4), {"level": "accurate"}),
    "square-double-exchange-accurate": (SQUARE, Lattice.square(4, 4), {"level": "accurate"}),
    "metallic-spin-glass": (GLASS, Lattice.amorphous(16, 2, seed=0), {"cutoff": 3, "moments": 31}),
    "metallic-spin-glass-accurate": (GLASS, Lattice.amorphous(16, 2, seed=0), {"cutoff": 4, "moments": 41}),
}
"""Models that learned nothing."""
TRAINED = ("triangular-tetrahedral", "square-double-exchange")


def main(names: list[str]) -> None:
    """Write those named, or all."""
    for name in names or [*TRAINED, *WALKS]:
        if name in WALKS:
            electrons, lattice, size = WALKS[name]
            model = create(NetworkSettings(hidden=None, electrons=electrons, **size), lattice)
            model.save(SHIPPED / f"{name}{SUFFIX}", provenance())
        else:
            load(Path("results") / "models" / name / "fast").save(SHIPPED / f"{name}{SUFFIX}")
        print(f"{name}: {load(name)!r}")


if __name__ == "__main__":
    main(sys.argv[1:])

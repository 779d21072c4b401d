"""Learned effective fields for metallic magnets: from the s-d Hamiltonian to spin dynamics on large lattices."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sdgnn import fields, spins
    from sdgnn.dynamics import (
        DepondtMertens,
        DormandPrince,
        Guard,
        Heun,
        ImplicitMidpoint,
        MonteCarlo,
        Observer,
        SemiImplicitB,
        simulate,
        suggest_dt,
    )
    from sdgnn.electrons import ExactField, KPMField, TruncatedField, suggest_cutoff
    from sdgnn.hamiltonian import SDModel
    from sdgnn.hopping import BondDisorder, ExponentialHopping
    from sdgnn.lattice import Lattice
    from sdgnn.nn import load

__version__ = "0.1.0"

__all__ = [
    "BondDisorder",
    "DepondtMertens",
    "DormandPrince",
    "ExactField",
    "ExponentialHopping",
    "Guard",
    "Heun",
    "ImplicitMidpoint",
    "KPMField",
    "Lattice",
    "MonteCarlo",
    "Observer",
    "SDModel",
    "SemiImplicitB",
    "TruncatedField",
    "calibrate",
    "fields",
    "load",
    "simulate",
    "spins",
    "suggest_cutoff",
    "suggest_dt",
]

_HOMES = {
    "BondDisorder": "sdgnn.hopping",
    "DepondtMertens": "sdgnn.dynamics",
    "DormandPrince": "sdgnn.dynamics",
    "ExactField": "sdgnn.electrons",
    "ExponentialHopping": "sdgnn.hopping",
    "Guard": "sdgnn.dynamics",
    "Heun": "sdgnn.dynamics",
    "ImplicitMidpoint": "sdgnn.dynamics",
    "KPMField": "sdgnn.electrons",
    "Lattice": "sdgnn.lattice",
    "MonteCarlo": "sdgnn.dynamics",
    "Observer": "sdgnn.dynamics",
    "SDModel": "sdgnn.hamiltonian",
    "SemiImplicitB": "sdgnn.dynamics",
    "TruncatedField": "sdgnn.electrons",
    "calibrate": "sdgnn.train.factors",
    "load": "sdgnn.nn",
    "simulate": "sdgnn.dynamics",
    "suggest_cutoff": "sdgnn.electrons",
    "suggest_dt": "sdgnn.dynamics",
}
"""Modules of the public names, imported when a name is first used, so that the command line starts at once."""


def __getattr__(name: str) -> Any:
    """A public name or a submodule, imported on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"sdgnn.{name}")
    raise AttributeError(f"module 'sdgnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

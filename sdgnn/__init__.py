"""Learned effective fields for metallic magnets: from the s-d Hamiltonian to spin dynamics on large lattices."""

from sdgnn import fields, spins
from sdgnn.dynamics import Heun, ImplicitMidpoint, Observer, SemiImplicitB, simulate, suggest_dt
from sdgnn.electrons import ExactField
from sdgnn.hamiltonian import SDModel
from sdgnn.lattice import Lattice

__version__ = "0.1.0"

__all__ = [
    "ExactField",
    "Heun",
    "ImplicitMidpoint",
    "Lattice",
    "Observer",
    "SDModel",
    "SemiImplicitB",
    "fields",
    "simulate",
    "spins",
    "suggest_dt",
]

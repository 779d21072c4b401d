"""Fields: the protocol that everything driving spins obeys, and the classical spin models."""

from sdgnn.fields.classical import DMI, Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.cost import Cost
from sdgnn.fields.distance import DistanceHeisenberg
from sdgnn.fields.protocol import Field, FieldResult, Local, OnLattices, Paired, check_spins
from sdgnn.fields.sums import SiteSum, Sum
from sdgnn.fields.torque import torque_part

__all__ = [
    "DMI",
    "Anisotropy",
    "Cost",
    "DistanceHeisenberg",
    "Field",
    "FieldResult",
    "Heisenberg",
    "Local",
    "OnLattices",
    "Paired",
    "SiteSum",
    "Sum",
    "Zeeman",
    "check_spins",
    "torque_part",
]

"""Fields: the protocol that everything driving spins obeys, and the classical spin models."""

from sdgnn.fields.protocol import Field, FieldResult, Sum, check_spins

__all__ = ["Field", "FieldResult", "Sum", "check_spins"]

"""Electrons: labels of the s-d model, exact and by the kernel polynomial method."""

from sdgnn.electrons.chebyshev import KPMField, KPMResult
from sdgnn.electrons.exact import ExactField

__all__ = ["ExactField", "KPMField", "KPMResult"]

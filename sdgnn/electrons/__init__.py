"""Electrons of the s-d model: exact, by the kernel polynomial method, and by local moments."""

from sdgnn.electrons.chebyshev import KPMField, KPMResult
from sdgnn.electrons.exact import ExactField
from sdgnn.electrons.truncated import TruncatedField, suggest_cutoff

__all__ = ["ExactField", "KPMField", "KPMResult", "TruncatedField", "suggest_cutoff"]

"""Electrons: exact labels of the s-d model."""

from sdgnn.electrons.exact import ExactField

__all__ = ["ExactField"]

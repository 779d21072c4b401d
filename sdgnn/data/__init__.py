"""Label sets: which configurations, who labels them, and how they are stored."""

from sdgnn.data.labels import LabelSet, Origin
from sdgnn.data.store import read

__all__ = ["LabelSet", "Origin", "read"]

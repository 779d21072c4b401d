"""Self-contained HTML reports: text, tables and figures in one file that needs nothing else."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

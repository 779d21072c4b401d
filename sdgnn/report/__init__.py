"""Self-contained HTML reports: text, tables and figures in one file that needs nothing else."""

from sdgnn.report.page import Figure, Page, Section, Table

__all__ = ["Figure", "Page", "Section", "Table"]

"""Means and their errors, equilibrium, agreement of runs, sweeps."""

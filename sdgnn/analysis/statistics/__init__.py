"""Means and their errors, equilibrium, agreement of runs, parameter sweeps."""

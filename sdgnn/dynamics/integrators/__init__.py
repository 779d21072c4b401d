"""Integrators of the Landau-Lifshitz-Gilbert equation, and Monte Carlo."""

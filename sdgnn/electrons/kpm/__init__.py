"""The kernel polynomial method: the effective field, and spectra as Chebyshev moments."""

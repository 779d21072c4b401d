"""Structure factors, static and dynamical, and the reciprocal space of a lattice."""

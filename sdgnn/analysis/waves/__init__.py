"""Small motions around a state: the magnetic cell, effective couplings J(r) and J(q), and linear spin waves."""

"""How far a field reaches: the floor of the error by reach."""

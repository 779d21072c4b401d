"""Names: which one a word may be a misspelling of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SYMBOLS = {
    "j": ("exchange", "couplings"), "coupling": ("exchange", "couplings"), "t": ("hopping", "kt", "t"),
    "temperature": ("kt",), "temp": ("kt",), "alpha": ("damping",), "gilbert": ("damping",),
    "chemical_potential": ("mu",), "density": ("filling",), "timestep": ("dt",), "delta_t": ("dt",),
    "n_steps": ("steps",), "nsteps": ("steps",), "n_replicas": ("replicas",), "batch": ("replicas",),
    "n": ("replicas", "states", "n_sites"), "rng": ("seed",), "random_state": ("seed",), "b": ("field",),
    "h": ("field",), "d": ("strength", "dim"), "k": ("strength",), "r_cut": ("cutoff",), "rcut": ("cutoff",),
    "radius": ("cutoff",), "k_points": ("twists",), "kpoints": ("twists",), "hamiltonian": ("model",),
    "network": ("model",), "state": ("spins",), "s": ("spins",), "size": ("shape",),
}  # fmt: skip
"""Symbols and words that papers and other programs have for a name, in lower case, and the names here."""


def nearest(word: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that ``word`` may be a misspelling of, or a symbol for (J for exchange); None if none is near.

    Upper and lower case are alike.

    ``likeness`` is the least ratio of common letters, 0 to 1 (:class:`difflib.SequenceMatcher`).
    """
    by_lower = {name.lower(): name for name in names}
    for name in SYMBOLS.get(str(word).lower(), ()):
        if name in by_lower:
            return by_lower[name]
    near = difflib.get_close_matches(str(word).lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, names: Iterable[str], likeness: float = 0.6) -> str:
    """A question after the nearest name, or nothing."""
    near = nearest(word, names, likeness)
    return f"did you mean {near!r}?" if near is not None else ""

"""First colours of the sites of a graph, compiled."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from sdgnn.common.compiling import compiled


@no_type_check
@compiled("colours of sites", __file__)
def first_free(starts, target):
    """Colours of the sites in their order, each the first that no neighbour before it has.

    The neighbours of site i are ``target[starts[i] : starts[i + 1]]``.
    """
    sites = len(starts) - 1
    colours, taken = np.empty(sites, np.int64), np.full(sites, -1)
    for i in range(sites):
        for j in target[starts[i] : starts[i + 1]]:
            if j < i:
                taken[colours[j]] = i
        c = 0
        while taken[c] == i:
            c += 1
        colours[i] = c
    return colours

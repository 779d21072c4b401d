"""Order parameter, susceptibility, Binder cumulant and specific heat against temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.plots.style import BARS, look, panels, style
from sdgnn.analysis.transitions.temperatures import TransitionTemperature

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

TITLES = {
    "mean": r"order parameter $\langle |m| \rangle$",
    "susceptibility": r"susceptibility $\chi$ ($1/t$)",
    "binder": r"Binder cumulant $U$",
}
"""What is drawn of an order parameter."""


@style()
def transition_curves(
    found: Sequence[xarray.Dataset], parameter: str, transitions: Sequence[TransitionTemperature] = ()
) -> Figure:
    """Curves of :func:`.thermodynamics` of one order parameter, one for each size, with standard errors.

    Open markers where the error bars cannot be trusted. Vertical bands are transition temperatures and their standard
    errors: grey for crossings, in the colour of the size for peaks. Levels in the panel of the cumulant: perfect order.
    """
    by_size = sorted(found, key=lambda one: int(one.attrs["sites"]))
    names = [f"{parameter}_{key}" for key in TITLES]
    titles = list(TITLES.values())
    if all("specific_heat" in one for one in by_size):
        names.append("specific_heat")
        titles.append("specific heat per site")
    figure, axes = panels(len(names), 0.75, columns=2)
    sizes = [int(one.attrs["sites"]) for one in by_size]
    for k, one in enumerate(by_size):
        kT, sure = one["kT"].values, one[f"{parameter}_reliable"].values.astype(bool)
        colour = look(k)["color"]
        for panel, name in zip(axes, names, strict=True):
            y, error = one[name].values, np.nan_to_num(one[f"{name}_error"].values)
            panel.errorbar(kT, y, error, color=colour, lw=0.8, **BARS)
            panel.plot(kT[sure], y[sure], ls="", label=f"{sizes[k]} sites", **look(k))
            panel.plot(kT[~sure], y[~sure], ls="", mfc="white", **look(k))
    for place in transitions:
        if place.found:
            colour = "0.5" if len(place.sites) > 1 else look(sizes.index(place.sites[0]))["color"]
            for panel in axes:
                panel.axvspan(place.kT - place.error, place.kT + place.error, color=colour, alpha=0.2, lw=0)
                panel.axvline(place.kT, color=colour, lw=0.6, ls="--")
    for panel, name, title in zip(axes, names, titles, strict=True):
        panel.set(xlabel=r"$kT$ ($t$)", ylabel=title)
        if name.endswith("binder"):
            panel.axhline(2 / 3, color="black", lw=0.8, ls=":")
    axes[0].legend()
    return figure

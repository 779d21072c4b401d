"""Agreement of two runs: deviations of the same law are of the size of their errors, others are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray
from matplotlib.colors import to_hex

from sdgnn.analysis import agreement
from sdgnn.analysis.plots import agreement_panels
from sdgnn.common.errors import UserError

TIMES, REPLICAS = 2000, 40


def ensemble(seed: int, shift: float = 0.0, replicas: int = REPLICAS) -> xarray.Dataset:
    """Independent normal numbers of variance 4 about ``shift`` at every time."""
    values = np.random.default_rng(seed).normal(shift, 2.0, (TIMES, replicas))
    return xarray.Dataset({"energy": (("time", "replica"), values)}, coords={"time": np.arange(TIMES)})


def test_ensembles_of_one_law_deviate_by_their_errors() -> None:
    found = agreement(ensemble(0), ensemble(1))
    # t-distributed with about 78 degrees of freedom: variance 78 / 76, scatter of the mean square sqrt(2 / 2000)
    assert found.attrs["energy_rms"] ** 2 == pytest.approx(78 / 76, abs=5 * np.sqrt(2 / TIMES))
    assert found.attrs["energy_within"] == pytest.approx(0.951, abs=5 * np.sqrt(0.05 / TIMES))
    assert found["energy_error"].mean() == pytest.approx(2 * np.sqrt(2 / REPLICAS), rel=0.02)


def test_another_law_is_seen() -> None:
    found = agreement(ensemble(0), ensemble(1, shift=5 * 2 * np.sqrt(2 / REPLICAS)))  # five errors away
    assert found.attrs["energy_within"] < 0.05
    assert float(found["energy_deviation"].mean()) == pytest.approx(5, rel=0.05)


def test_replicas_that_share_their_noise_are_told_apart_better() -> None:
    first = ensemble(0)
    found = agreement(first, first + 0.01)
    np.testing.assert_allclose(found["energy_difference"], 0.01, rtol=1e-9)
    assert float(found["energy_paired_error"].max()) < 1e-12
    assert found.attrs["energy_paired_rms"] > 1e9 > found.attrs["energy_rms"]
    assert np.isnan(agreement(first, ensemble(1, replicas=10))["energy_paired_error"]).all()
    same = agreement(first, first)
    assert same.attrs["energy_rms"] == 0


def test_times_of_both_are_compared() -> None:
    every = ensemble(0)
    third = every.isel(time=slice(0, None, 3)).rename(time="time_3")
    found = agreement(every, third)
    assert found["energy_difference"].dims == ("time",)
    np.testing.assert_array_equal(found["time"], np.arange(0, TIMES, 3))
    assert found.attrs["energy_rms"] == 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UserError, match="common quantity"):
        agreement(ensemble(0), ensemble(1).rename(energy="chirality"))
    with pytest.raises(UserError, match="at least 2 replicas"):
        agreement(ensemble(0), ensemble(1, replicas=1))
    with pytest.raises(UserError, match="no common time"):
        agreement(ensemble(0), ensemble(1).assign_coords(time=np.arange(TIMES) + 0.5))


def test_panels_show_both_runs(tmp_path: Path) -> None:
    figure = agreement_panels(agreement(ensemble(0), ensemble(1)), "exact", "network")
    above, below = figure.axes
    assert [line.get_label() for line in above.lines] == ["exact", "network"]
    assert len({to_hex(line.get_color()) for line in above.lines}) == 2
    assert len(below.lines) == 1
    figure.savefig(tmp_path / "agreement.pdf")

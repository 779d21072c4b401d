"""States of trajectories, and arrays of numpy and xarray."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray
from helpers.lattices import EVERY, name, same
from helpers.limits import full_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sdgnn
from sdgnn import Heun, Lattice, simulate
from sdgnn.common.errors import UserError
from sdgnn.dynamics import lattice_of, observers, open_trajectory
from sdgnn.fields import Zeeman
from sdgnn.interchange import Snapshot, as_trajectory, first_states, read_npz, snapshot, write_netcdf, write_npz


def run(lattice: Lattice, folder: Path | None = None, steps: int = 12) -> xarray.Dataset:
    """Two replicas that precess, spins every 4 steps and energy every 2."""
    watch = [observers.spins(4), observers.energy(2)]
    spins = sdgnn.spins.random(lattice, 2, seed=5)
    return simulate(
        Zeeman(lattice, (0, 0, 1)), spins, Heun(dt=0.5, damping=0.0), steps, observers=watch, folder=folder
    ).trajectory


@pytest.mark.parametrize("lattice", EVERY, ids=name)
def test_a_trajectory_knows_its_lattice(lattice: Lattice, tmp_path: Path) -> None:
    run(lattice, tmp_path / "run")
    assert same(lattice_of(open_trajectory(tmp_path / "run")), lattice)
    assert same(lattice_of(as_trajectory(sdgnn.spins.random(lattice), lattice)), lattice)
    with pytest.raises(UserError, match=r"does not describe its lattice.*give lattice="):
        lattice_of(open_trajectory(tmp_path / "run").drop_attrs())


def test_the_state_at_a_time() -> None:
    data = run(Lattice.triangular(3, 3))
    assert data["spins"].dims[0] == "time_4"
    found = snapshot(data, time=2.9, replica=1)
    assert found.time == 2.0 and np.array_equal(found.spins, data["spins"].sel(time_4=2.0, replica=1))
    assert snapshot(data).time == 6.0 and np.array_equal(snapshot(data).spins, data["spins"].values[-1, 0])
    for wrong in ({"time": 6.1}, {"time": -0.1}, {"time": float("nan")}, {"replica": 2}, {"replica": -1}):
        with pytest.raises(UserError, match="allowed: 0 to"):
            snapshot(data, **wrong)
    with pytest.raises(UserError, match="without spins"):
        snapshot(data.drop_vars("spins"))


def test_spins_that_do_not_fit_are_refused() -> None:
    lattice, spins = Lattice.square(2, 2), np.ones((3, 2, 4, 3))
    assert as_trajectory(spins, lattice)["time"].values.tolist() == [0, 1, 2]
    for wrong, words in ((spins[..., :3, :], "of shape"), (spins.astype(int), "of type"), (spins[0, 0, 0], "of shape")):
        with pytest.raises(UserError, match=words):
            as_trajectory(wrong, lattice)
    with pytest.raises(UserError, match="2 times of 3 states"):
        as_trajectory(spins, lattice, [0.0, 1.0])
    with pytest.raises(UserError, match=r"take one replica: spins\[0\]"):
        Snapshot(spins[0], lattice)
    with pytest.raises(UserError, match="not finite"):
        Snapshot(np.full((4, 3), np.nan), lattice)


# -- numpy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", EVERY, ids=name)
def test_numpy_reads_what_is_written(lattice: Lattice, tmp_path: Path) -> None:
    data = run(lattice)
    write_npz(data, tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as found:
        assert np.array_equal(found["spins"], data["spins"]) and found["times"].tolist() == [0, 2, 4, 6]
        assert np.array_equal(found["positions"], lattice.positions) and np.array_equal(found["cell"], lattice.cell)
    back = read_npz(tmp_path / "t.npz")
    assert np.array_equal(back["spins"], data["spins"]) and same(lattice_of(back), lattice)
    assert np.array_equal(first_states(tmp_path / "t.npz", lattice, 4).numpy(), np.tile(data["spins"][-1], (2, 1, 1)))


def test_files_of_ones_own_are_read(tmp_path: Path) -> None:
    lattice = Lattice.square(2, 3)
    spins = sdgnn.spins.random(lattice, 2, seed=1).numpy()
    np.savez_compressed(tmp_path / "s.npz", spins=spins, times=[4.0])
    found = read_npz(tmp_path / "s.npz", lattice)
    assert np.array_equal(found["spins"].values[0], spins) and found["time"].values.tolist() == [4.0]
    np.savez(tmp_path / "one.npz", spins=spins[0].astype(np.float32))
    assert first_states(tmp_path / "one.npz", lattice, 3).shape == (3, 6, 3)
    with pytest.raises(UserError, match=r"no positions|no lattice.*give lattice="):
        read_npz(tmp_path / "s.npz")
    with pytest.raises(UserError, match=r"3 replica\(s\) from the 2 states"):
        first_states(tmp_path / "s.npz", lattice, 3)


def test_other_positions_and_spins_are_refused(tmp_path: Path) -> None:
    lattice = Lattice.square(2, 3)
    spins = sdgnn.spins.random(lattice, seed=1).numpy()
    write_npz(as_trajectory(spins, lattice), tmp_path / "s.npz")
    for other in (Lattice.triangular(2, 3), Lattice.square(3, 2)):
        with pytest.raises(UserError, match="spins at other positions"):
            read_npz(tmp_path / "s.npz", other)
    for number, (wrong, words) in enumerate([(2 * spins, "spin of length 2"), (spins[..., :2], "of shape")]):
        np.savez(tmp_path / f"{number}.npz", spins=wrong)
        with pytest.raises(UserError, match=words):
            first_states(tmp_path / f"{number}.npz", lattice)
    np.savez(tmp_path / "p.npz", spins=np.array([{}], dtype=object))
    with pytest.raises(UserError, match=r"p\.npz"):
        read_npz(tmp_path / "p.npz", lattice)
    with pytest.raises(UserError, match=r"cannot be read as \.npz"):
        read_npz(tmp_path / "none.npz", lattice)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_malformed_npz_are_refused_or_read(data: st.DataObject, tmp_path: Path) -> None:
    lattice = Lattice.kagome(1, 2)
    path = tmp_path / "m.npz"
    if not path.exists():
        write_npz(as_trajectory(sdgnn.spins.random(lattice), lattice), path)
        (tmp_path / "valid").write_bytes(path.read_bytes())
    content = bytearray((tmp_path / "valid").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=12))
    path.write_bytes(content)
    try:
        found = read_npz(path)
    except UserError:
        return
    assert found["spins"].shape[1:] == (1, lattice_of(found).n_sites, 3)


def test_a_long_trajectory_is_never_in_memory(tmp_path: Path) -> None:
    """400 states of 60 kB are read from disk and written piece by piece."""
    lattice = Lattice.square(50, 50)
    simulate(
        Zeeman(lattice, (0, 0, 1)), sdgnn.spins.random(lattice, seed=0), Heun(dt=0.01, damping=0.0), 399,
        observers=[observers.spins(1)], folder=tmp_path / "run",
    )  # fmt: skip
    data = open_trajectory(tmp_path / "run")
    whole = data["spins"].nbytes
    for write, path in ((write_npz, "t.npz"), (write_netcdf, "t.nc")):
        write(data.isel(time=slice(0, 2)), tmp_path / f"first-{path}")  # imports what it needs
        tracemalloc.start()
        write(data, tmp_path / path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (tmp_path / path).stat().st_size >= whole > 2 * peak
    with zipfile.ZipFile(tmp_path / "t.npz") as archive:
        assert archive.testzip() is None


# -- NetCDF -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", EVERY, ids=name)
def test_xarray_reads_what_is_written(lattice: Lattice, tmp_path: Path) -> None:
    data = run(lattice, tmp_path / "run")
    write_netcdf(data, tmp_path / "t.nc")
    with xarray.open_dataset(tmp_path / "t.nc", decode_times=False) as found:
        xarray.testing.assert_equal(found.load(), data.load())
        assert same(lattice_of(found), lattice)
        assert found["spins"].dims == data["spins"].dims and found["energy"].attrs == data["energy"].attrs
    with pytest.raises(UserError, match=r"allowed: \.nc"):
        write_netcdf(data, tmp_path / "t.h5")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_full_disk_leaves_no_netcdf(share: float, tmp_path: Path) -> None:
    data = run(Lattice.square(4, 4))
    write_netcdf(data, tmp_path / "whole.nc")
    size = int(share * (tmp_path / "whole.nc").stat().st_size)
    with full_disk(size), pytest.raises(UserError, match="could not be written: file too large"):
        write_netcdf(data, tmp_path / "t.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["whole.nc"]

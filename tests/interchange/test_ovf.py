"""OVF 2.0: what is written is read back, by this package and by discretisedfield, and broken files are refused."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers.lattices import CRYSTALS, EVERY, FREE, name, same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sdgnn
from sdgnn import Lattice
from sdgnn.common.errors import UserError
from sdgnn.interchange import Snapshot, first_states, read_ovf, write_ovf

MISSING = "pip install -e '.[interchange]'"


def random_state(lattice: Lattice, seed: int = 3, time: float | None = 12.3456789012345678) -> Snapshot:
    return Snapshot(sdgnn.spins.random(lattice, seed=seed)[0].numpy(), lattice, time)


@pytest.mark.parametrize("lattice", EVERY, ids=name)
@pytest.mark.parametrize("form", ["text", "binary8"])
def test_every_digit_comes_back(lattice: Lattice, form: str, tmp_path: Path) -> None:
    state = random_state(lattice)
    write_ovf(state, tmp_path / "s.ovf", form)
    for found in (read_ovf(tmp_path / "s.ovf"), read_ovf(tmp_path / "s.ovf", lattice)):
        assert np.array_equal(found.spins, state.spins) and found.spins.dtype == np.float64
        assert same(found.lattice, lattice) and found.time == state.time


@pytest.mark.parametrize("lattice", EVERY, ids=name)
def test_binary4_keeps_single_precision(lattice: Lattice, tmp_path: Path) -> None:
    state = Snapshot(random_state(lattice).spins.astype(np.float32), lattice)
    write_ovf(state, tmp_path / "s.ovf", "binary4")
    found = read_ovf(tmp_path / "s.ovf", lattice)
    assert np.array_equal(found.spins, state.spins) and found.spins.dtype == np.float32 and found.time is None
    # positions of free lattices are single precision too
    assert np.abs(read_ovf(tmp_path / "s.ovf").lattice.positions - lattice.positions).max() < 1e-6


@pytest.mark.parametrize("lattice", CRYSTALS, ids=name)
def test_cells_are_unit_cells_and_the_basis_follows_along_z(lattice: Lattice, tmp_path: Path) -> None:
    """The bytes, read by struct from the check value on, against sites found by their positions."""
    state = random_state(lattice)
    write_ovf(state, tmp_path / "s.ovf")
    content = (tmp_path / "s.ovf").read_bytes()
    start = content.index(b"# Begin: Data Binary 8\n") + 23
    check, *numbers = struct.unpack_from(f"<{1 + 3 * lattice.n_sites}d", content, start)
    assert check == 123456789012345.0
    assert content[start:].endswith(b"\n# End: Data Binary 8\n# End: Segment\n")
    shape = [*lattice.shape, 1, 1][:3]
    rows = np.array(numbers).reshape(-1, 3)
    for row, (third, b, second, first) in zip(
        rows, itertools.product(range(shape[2]), range(lattice.n_basis), range(shape[1]), range(shape[0])), strict=True
    ):
        at = np.array([first, second, third][: lattice.dim]) @ lattice.vectors + lattice.basis[b]
        (site,) = lattice.find([at])
        assert np.array_equal(row, state.spins[site])


# -- other programs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", CRYSTALS, ids=name)
@pytest.mark.parametrize("form", ["text", "binary4", "binary8"])
def test_discretisedfield_reads_what_is_written(lattice: Lattice, form: str, tmp_path: Path) -> None:
    df = pytest.importorskip("discretisedfield", reason=MISSING)
    state = random_state(lattice)
    write_ovf(state, tmp_path / "s.ovf", form)
    field = df.Field.from_file(str(tmp_path / "s.ovf"))
    shape = [*lattice.shape, 1, 1][:3]
    assert tuple(field.mesh.n) == (shape[0], shape[1], shape[2] * lattice.n_basis)
    assert list(field.vdims) == ["x", "y", "z"]
    tolerance = 1e-7 if form == "binary4" else 0.0
    for first, second, third in itertools.product(*map(range, shape)):
        for b in range(lattice.n_basis):
            site = int(((first * shape[1] + second) * shape[2] + third) * lattice.n_basis + b)
            there = field.array[first, second, third * lattice.n_basis + b]
            assert np.abs(there - state.spins[site]).max() <= tolerance
    if lattice.name in ("chain", "square", "cubic"):  # cells lie where the sites are
        for site in range(lattice.n_sites):
            point = tuple(np.pad(lattice.positions[site], (0, 3 - lattice.dim)))
            assert np.abs(field(point) - state.spins[site]).max() <= tolerance


@pytest.mark.parametrize("representation", ["txt", "bin4", "bin8"])
@pytest.mark.parametrize(("nodes", "expected"), [
    ((5, 1, 1), Lattice.chain(5)), ((4, 3, 1), Lattice.square(4, 3)), ((2, 3, 4), Lattice.cubic(2, 3, 4)),
])  # fmt: skip
def test_files_of_discretisedfield_are_read(representation: str, nodes, expected: Lattice, tmp_path: Path) -> None:
    df = pytest.importorskip("discretisedfield", reason=MISSING)
    edge, Ms = 5e-9, 8e5
    mesh = df.Mesh(p1=(0, 0, 0), p2=tuple(edge * n for n in nodes), cell=(edge,) * 3)
    spins = random_state(Lattice.chain(int(np.prod(nodes)))).spins.reshape(*nodes, 3)
    field = df.Field(mesh, nvdim=3, value=Ms * spins, unit="A/m")
    field.to_file(str(tmp_path / "m.ovf"), representation=representation)
    found = read_ovf(tmp_path / "m.ovf")
    assert same(found.lattice, expected) and found.time is None
    tolerance = 1e-6 if representation == "bin4" else 1e-12
    for site, position in enumerate(found.lattice.positions):
        x, y, z = np.pad(position, (0, 3 - expected.dim)).round().astype(int)
        assert np.abs(found.spins[site] - spins[x, y, z]).max() < tolerance


def test_empty_cells_of_other_programs_are_vacancies(tmp_path: Path) -> None:
    df = pytest.importorskip("discretisedfield", reason=MISSING)
    mesh = df.Mesh(p1=(0, 0, 0), p2=(4, 3, 1), cell=(1, 1, 1))
    disc = df.Field(mesh, nvdim=3, value=(0, 1, 0), norm=lambda point: 0 if point[0] < 1 and point[1] < 1 else 2.0)
    disc.to_file(str(tmp_path / "m.ovf"))
    found = read_ovf(tmp_path / "m.ovf")
    assert same(found.lattice, Lattice.square(4, 3).without([0]))
    assert np.array_equal(found.spins, np.tile([0.0, 1.0, 0.0], (11, 1)))


def test_a_sheared_lattice_comes_back_through_discretisedfield(tmp_path: Path) -> None:
    """Which keeps no description: the lattice has to be named again."""
    df = pytest.importorskip("discretisedfield", reason=MISSING)
    state = random_state(Lattice.kagome(3, 2))
    write_ovf(state, tmp_path / "a.ovf")
    df.Field.from_file(str(tmp_path / "a.ovf")).to_file(str(tmp_path / "b.ovf"))
    found = read_ovf(tmp_path / "b.ovf", state.lattice)
    assert np.array_equal(found.spins, state.spins)
    assert same(read_ovf(tmp_path / "b.ovf").lattice, Lattice.cubic(3, 2, 3))
    with pytest.raises(UserError, match="mesh of 3 x 2 x 3 cells"):
        read_ovf(tmp_path / "b.ovf", Lattice.triangular(3, 2))


# -- written by hand --------------------------------------------------------------------------------------------

MUMAX = """# OOMMF OVF 2.0
# Segment count: 1
# Begin: Segment
# Begin: Header
# Title: m
# meshtype: rectangular
# meshunit: m
# xmin: 0
# ymin: 0
# zmin: 0
# xmax: 8e-09
# ymax: 1.2e-08
# zmax: 1e-09
# valuedim: 3
# valuelabels: m_x m_y m_z
# valueunits: 1 1 1
# Desc: Total simulation time:  1e-10  s
# xbase: 2e-09
# ybase: 2e-09
# zbase: 5e-10
# xnodes: 2
# ynodes: 3
# znodes: 1
# xstepsize: 4e-09
# ystepsize: 4e-09
# zstepsize: 1e-09
# End: Header
# Begin: Data Text
1 0 0 \n0 1 0 \n0 0 1 \n-1 0 0 \n0 -1 0 \n0.6 0.8 0 \n# End: Data Text
# End: Segment
"""


def test_a_file_as_mumax3_writes_it(tmp_path: Path) -> None:
    """x runs fastest: the second row is the cell beside the first along x."""
    (tmp_path / "m.ovf").write_text(MUMAX)
    found = read_ovf(tmp_path / "m.ovf")
    assert same(found.lattice, Lattice.square(2, 3)) and found.time is None
    where = {tuple(position): spin for position, spin in zip(found.lattice.positions, found.spins, strict=True)}
    assert where[1, 0].tolist() == [0, 1, 0] and where[0, 1].tolist() == [0, 0, 1]
    assert where[1, 2].tolist() == [0.6, 0.8, 0.0]


def test_points_of_another_program_need_their_lattice(tmp_path: Path) -> None:
    lattice = Lattice.triangular(2, 2)
    state = random_state(lattice)
    header = "# OOMMF OVF 2.0\n# meshtype: irregular\n# pointcount: 4\n# valuedim: 3\n# Begin: Data Text\n"
    rows = [f"{x:.6f} {y:.6f} 0 {' '.join(map(repr, map(float, state.spins[i])))}" for i, (x, y) in
            reversed(list(enumerate(lattice.positions + lattice.cell[1])))]  # fmt: skip
    (tmp_path / "p.ovf").write_text(header + "\n".join(rows) + "\n# End: Data Text\n")
    assert np.array_equal(read_ovf(tmp_path / "p.ovf", lattice).spins, state.spins)
    with pytest.raises(UserError, match=r"without a periodic cell.*lattice="):
        read_ovf(tmp_path / "p.ovf")
    with pytest.raises(UserError, match="holds no site"):
        read_ovf(tmp_path / "p.ovf", Lattice.square(2, 2))
    with pytest.raises(UserError, match="points at 4 of the sites"):
        read_ovf(tmp_path / "p.ovf", Lattice.triangular(4, 2))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("OVF 2.0", "OVF 1.0", "save it again as OVF 2.0"),
        ("# OOMMF OVF 2.0", "# OOMMF: rectangular mesh v1.0", "save it again as OVF 2.0"),
        ("# OOMMF", "PNG", "begins with 'PNG OVF 2.0'"),
        ("valuedim: 3", "valuedim: 1", "valuedim = 1"),
        ("# valuedim: 3\n", "", "valuedim is 'missing'"),
        ("xnodes: 2", "xnodes: 3", "18 numbers where 9 nodes have 27"),
        ("xnodes: 2", "xnodes: 2.5", "xnodes is '2.5'"),
        ("xnodes: 2", f"xnodes: {'9' * 400}", "xnodes is"),
        ("xnodes: 2", "xnodes: -2", "-2 x 3 x 1 nodes"),
        ("xnodes: 2", "xnodes: 200000000", "200000000 x 3 x 1 nodes"),
        ("xstepsize: 4e-09", "xstepsize: 0", "a mesh with cells of 0 x 4e-09"),
        ("xstepsize: 4e-09", "xstepsize: nan", "xstepsize = nan"),
        ("meshtype: rectangular", "meshtype: round", "meshtype 'round'"),
        ("Data Text", "Data Hex", "data as 'Hex'"),
        ("0 0 1 ", "0 nan 1 ", "not finite"),
        ("0 0 1 ", "0 x 1 ", "no table of numbers"),
        ("0 0 1 ", "0 0 1 2", "no table of numbers"),
        ("0.6 0.8 0", "0 0 0", None),
        ("# End: Data Text\n# End: Segment\n", "", "no end of the data"),
        ("# Begin: Data Text", "", "no block of data"),
        ("Desc: Total", "Desc: sdgnn lattice: {", "description of the lattice that cannot be read"),
        ("Desc: Total", 'Desc: sdgnn lattice: {"shape": [9, 9], "basis": [[0, 0]]} ', "cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str, words: str | None, tmp_path: Path) -> None:
    path = tmp_path / "m.ovf"
    assert old in MUMAX
    path.write_text(MUMAX.replace(old, new))
    if words is None:  # an empty cell, which is no site
        assert read_ovf(path).lattice.n_sites == 5
        return
    with pytest.raises(UserError, match=words) as caught:
        read_ovf(path)
    assert str(path) in str(caught.value)


def test_another_lattice_than_the_files_is_refused(tmp_path: Path) -> None:
    write_ovf(random_state(Lattice.triangular(4, 3)), tmp_path / "s.ovf")
    for other in (Lattice.square(4, 3), Lattice.triangular(3, 4), Lattice.triangular(4, 3).without([0])):
        with pytest.raises(UserError, match=r"spins of Lattice.triangular\(4, 3\)"):
            read_ovf(tmp_path / "s.ovf", other)
    with pytest.raises(UserError, match="cannot be read"):
        read_ovf(tmp_path / "nothing.ovf")
    with pytest.raises(UserError, match="form 'binary'"):
        write_ovf(random_state(Lattice.chain(3)), tmp_path / "t.ovf", "binary")
    assert not (tmp_path / "t.ovf").exists()


def test_wrong_byte_order_is_named(tmp_path: Path) -> None:
    state = random_state(Lattice.square(2, 2))
    write_ovf(state, tmp_path / "s.ovf")
    content = (tmp_path / "s.ovf").read_bytes()
    start = content.index(b"Binary 8\n") + 9
    numbers = np.frombuffer(content[start : start + 8 * 13], "<f8").astype(">f8").tobytes()
    (tmp_path / "s.ovf").write_bytes(content[:start] + numbers + content[start + 8 * 13 :])
    with pytest.raises(UserError, match="bytes in the wrong order"):
        read_ovf(tmp_path / "s.ovf")


@pytest.mark.parametrize("lattice", [Lattice.chain(2), Lattice.square(2, 2).without([0])], ids=name)
@pytest.mark.parametrize("form", ["text", "binary4", "binary8"])
def test_every_cut_is_noticed(lattice: Lattice, form: str, tmp_path: Path) -> None:
    """Whatever length a copy stopped at, up to the line that ends the data."""
    path = tmp_path / "s.ovf"
    write_ovf(random_state(lattice), path, form)
    content = path.read_bytes()
    end = content.index(b"# End: Data") + len("# End: Data")
    for length in range(end):
        path.write_bytes(content[:length])
        with pytest.raises(UserError):
            read_ovf(path)
    path.write_bytes(content[:end])
    assert read_ovf(path).lattice.n_sites == lattice.n_sites


@pytest.mark.parametrize("form", ["Text", "Binary 4", "Binary 8"])
def test_no_memory_is_taken_for_what_a_small_file_claims(form: str, tmp_path: Path) -> None:
    content = MUMAX.replace("xnodes: 2", "xnodes: 5000").replace("ynodes: 3", "ynodes: 5000").replace("Text", form)
    (tmp_path / "m.ovf").write_text(content)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="bytes of data where 25000000 nodes"):
            read_ovf(tmp_path / "m.ovf")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder, found = tmp_path_factory.mktemp("valid"), [MUMAX.encode()]
    for lattice in (Lattice.kagome(1, 2), FREE[0]):
        for form in ("text", "binary4", "binary8"):
            write_ovf(random_state(lattice), folder / "valid.ovf", form)
            found.append((folder / "valid.ovf").read_bytes())
    return found


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_malformed_files_are_refused_or_read(data: st.DataObject, valid_files: list[bytes], tmp_path: Path) -> None:
    """Any change of a valid file gives unit spins on a lattice or a UserError, and nothing else."""
    path = tmp_path / "m.ovf"
    content = bytearray(data.draw(st.sampled_from(valid_files)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        if data.draw(st.booleans()):
            content[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=12))
        else:
            words = [b"0", b"-1", b"9", b"e9", b"nan", b":", b"\n", b"[", b"{", b"text", b"binary 4", b"irregular"]
            content[at:at] = data.draw(st.sampled_from(words))
    path.write_bytes(content)
    try:
        found = read_ovf(path)
    except UserError:
        return
    assert found.spins.shape == (found.lattice.n_sites, 3)
    assert np.abs(np.linalg.norm(found.spins.astype(np.float64), axis=1) - 1).max() < 1e-5


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), text=st.text(max_size=100))
def test_any_bytes_are_refused(content: bytes, text: str, tmp_path: Path) -> None:
    begun = f"# OOMMF OVF 2.0\n{text}\n# Begin: Data Text".encode()
    for given_bytes in (content, b"# OOMMF OVF 2.0\n" + content, begun):
        (tmp_path / "m.ovf").write_bytes(given_bytes)
        with pytest.raises(UserError):
            read_ovf(tmp_path / "m.ovf")


# -- first states -----------------------------------------------------------------------------------------------


def test_one_state_starts_every_replica(tmp_path: Path) -> None:
    state = random_state(Lattice.triangular(3, 3))
    write_ovf(state, tmp_path / "s.ovf")
    spins = first_states(tmp_path / "s.ovf", state.lattice, replicas=3)
    assert spins.shape == (3, 9, 3) and all(np.array_equal(one, state.spins) for one in spins.numpy())
    with pytest.raises(UserError, match="first states from"):
        first_states(tmp_path / "s.txt", state.lattice)

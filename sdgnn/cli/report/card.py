"""The card of a data set: what is in its files, how it was made, and how it is read, checked and cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sdgnn.cli.report.table import Table
from sdgnn.data.arrays import DATASETS

LICENCE = {
    "rights": "Creative Commons Attribution 4.0 International",
    "rightsUri": "https://creativecommons.org/licenses/by/4.0/",
    "rightsIdentifier": "CC-BY-4.0",
    "rightsIdentifierScheme": "SPDX",
}
"""The licence, as DataCite names it."""
METHOD = "10.1063/9.0001056"
"""DOI of the paper whose Hamiltonian this is."""
SUBJECTS = ("s-d model", "double exchange", "metallic magnets", "effective fields", "machine learning")
"""Words by which an archive finds the data set."""
CARD, CITATION, DATACITE = "DATA_CARD.md", "CITATION.cff", "datacite.json"
"""Files about the data set."""
CONVENTIONS = """\
    H = - t sum_<ij> (c+_i c_j + h.c.) - J sum_i S_i . (c+_i sigma c_i)

<ij> are nearest neighbours, every periodic image is its own bond, sigma are Pauli matrices (without 1/2), S_i
classical spins of length 1. t = 1 is the unit of energy, hbar = k_B = 1, the nearest-neighbour distance is 1. The
electrons have the temperature kT and the filling N_e / (2 N_sites). `energy` is the total Helmholtz energy
F = Omega + mu N_e of the sites in the file, and the field is H_i = -dF/dS_i = J <c+_i sigma c_i> with S_i a free
3-vector: the part along S_i is kept, only the part across moves the spin."""
READER = """\
import json
import h5py

with h5py.File("{file}") as sets:
    for name, one in sets.items():
        spins, field = one["spins"][:], one["field"][:]  # (state, site, 3)
        energy, density, mu = one["energy"][:], one["density"][:], one["mu"][:]
        positions, cell = one["lattice/positions"][:], one["lattice/cell"][:]
        J, kT = json.loads(one.attrs["hamiltonian"])["exchange"], one.attrs["kT"]
        print(name, spins.shape, f"J {{J:.3f}}, kT {{kT:.3f}}, filling {{one.attrs['filling']:.3f}}")
"""
STATES = {name: (axes.replace(" ", ", "), unit, meaning) for name, (axes, unit, meaning) in DATASETS.items()}
LATTICE = {
    "lattice/positions": ("site, axis", "1", "Cartesian positions"),
    "lattice/cell": ("axis, axis", "1", "rows span the periodic cell"),
    "lattice/vectors": ("axis, axis", "1", "rows are primitive vectors"),
    "lattice/basis": ("basis site, axis", "1", "positions in the unit cell"),
    "lattice/shape": ("axis", "1", "unit cells along each primitive vector"),
}
TYPES = {"protocol": "text (UTF-8)", "seed": "int64", "step": "int64", "lattice/shape": "int64"}
"""Types of what is not float64."""


def data_card(
    title: str, creators: Sequence[str], summary: str, members: Sequence[Mapping[str, Any]],
    lattices: Sequence[Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]], made: Mapping[str, Any],
    command: str,
) -> str:  # fmt: skip
    """The card in Markdown.

    members: ``name``, ``file``, ``exchange``, ``kT``, ``filling``, ``states`` and ``seed`` of each label set; lattices:
    ``name``, ``repr``, ``twists`` and ``protocols`` of each; files: ``bytes`` and ``sha256`` by name; made: what
    :func:`~sdgnn.common.provenance.provenance` says.
    """
    held_out = [one["name"] for one in members if "held-out" in one["file"]]
    schema = Table(
        ("dataset", "axes", "type", "unit", "meaning"),
        [
            [f"`{name}`", axes, TYPES.get(name, "float64"), unit, meaning.replace("|", "\\|")]
            for name, (axes, unit, meaning) in (STATES | LATTICE).items()
        ],
        words=("dataset", "axes", "type", "unit", "meaning"),
    )
    contents = Table(
        ("file", "Hamiltonians", "states", "MB", "SHA-256"),
        [
            [
                f"`{file}`",
                *(str(sum(one[what] for one in members if one["file"] == file)) for what in ("one", "states")),
                f"{facts['bytes'] / 1e6:.2f}",
                f"`{facts['sha256']}`",
            ]
            for file, facts in files.items()
        ],
        words=("file", "SHA-256"),
    )
    where = Table(
        ("lattice", "sites", "exact at", "states of each Hamiltonian"),
        [[one["name"], one["repr"], one["twists"], one["protocols"]] for one in lattices],
        words=("lattice", "sites", "exact at", "states of each Hamiltonian"),
    )
    drawn = Table(
        ("name", "J", "kT", "filling", "states", "seed", "split"),
        [
            [
                f"`{one['name']}`", *(repr(one[what]) for what in ("exchange", "kT", "filling", "states", "seed")),
                "held out" if one["name"] in held_out else "training",
            ]
            for one in members
        ],
        words=("name", "split"),
    )  # fmt: skip
    libraries = ", ".join(f"{name} {version}" for name, version in made["libraries"].items())
    machine = f"{made['machine']['system']}, {made['machine']['architecture']}, {made['machine']['cores']} cores"
    splits = "All Hamiltonians are for training, none is held out."
    if held_out:
        splits = (
            f"{len(members) - len(held_out)} Hamiltonians are for training, {len(held_out)} are held out, each with "
            "all its states:\nnothing may be fitted to, or chosen by, the files `*-held-out.h5`."
        )
    return f"""\
# {title}

{"; ".join(creators)}. Licence: {LICENCE["rights"]} ([{LICENCE["rightsIdentifier"]}]({LICENCE["rightsUri"]})).

{summary}

## Files

{contents.markdown()}
Check them with `sha256sum -c SHA256SUMS`. Each `.h5` file holds one group per Hamiltonian, and each group is a label
set of the schema below. `{CITATION}` and `{DATACITE}` say how to cite, `config.yaml` what was asked for,
`provenance.json` with what it was made.

**Splits.** {splits}

## Reading

With h5py alone:

```python
{READER.format(file=next(iter(files)))}```

With sdgnn:

```python
from sdgnn import data

labels = data.read(".", "{members[0]["name"]}")  # one Hamiltonian of this folder
for labels in data.read_each("{next(iter(files))}"):
    print(labels)
```

## Hamiltonian, units, signs

{CONVENTIONS}

## Schema

{schema.markdown()}
Attributes of each group: `format`, `schema`, `conventions` (the Hamiltonian in words), `hamiltonian` (JSON: `hopping`
by neighbour shell, `exchange` J), `kT`, `filling`, `solver` (JSON: name and boundary phases), `protocols` (JSON),
`seed`, `version`, `commit`, `created`, and `content_hash` (SHA-256 of lattice, physics, states and labels).

## States

{where.markdown()}
Labels are averages over boundary phases, which is exact diagonalisation of the lattice repeated so many times along
each axis with its spins, per copy. *random*: spins independent and uniform on the sphere. An order with noise s:
(S + s g) / |S + s g| with g normal, turned as a whole at random. `protocol` names each state. Seeds of single states
follow from that of the Hamiltonian's set.

## Hamiltonians

{drawn.markdown()}
## How it was made

    {command}

sdgnn {made["sdgnn"]}, commit {made["commit"] or "unknown"}, {made["created"]};
Python {made["python"]}, {libraries}; {machine}.
Labels by diagonalisation in double precision: other libraries change their last digits.

**What is not in it.** More than one orbital, hopping beyond nearest neighbours, spin-orbit coupling, disorder, states
of a running dynamics, several sizes of one lattice.
"""


def citation(title: str, creators: Sequence[str], date: str) -> dict[str, Any]:
    """What CITATION.cff holds."""
    return {
        "cff-version": "1.2.0",
        "message": "If you use this data set, please cite it and the paper that it builds on.",
        "type": "dataset",
        "title": title,
        "authors": [_person(name) for name in creators],
        "date-released": date,
        "license": LICENCE["rightsIdentifier"],
        "references": [{
            "type": "article",
            "title": "Machine-learning force-field models for dynamical simulations of metallic magnets",
            "authors": [_person(name) for name in ("Chern, Gia-Wei", "Fan, Yunhao", "Zhang, Sheng", "Zhang, Puhan")],
            "journal": "AIP Advances",
            "year": 2026,
            "doi": METHOD,
        }],
    }  # fmt: skip


def datacite(title: str, creators: Sequence[str], summary: str, date: str, size: int) -> dict[str, Any]:
    """Metadata in DataCite's schema 4, but for identifier and publisher, which are the archive's."""
    return {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Exact labels of a Hamiltonian"},
        "titles": [{"title": title}],
        "creators": [_creator(name) for name in creators],
        "publicationYear": date[:4],
        "dates": [{"date": date, "dateType": "Created"}],
        "language": "en",
        "subjects": [{"subject": word} for word in SUBJECTS],
        "descriptions": [{"description": " ".join(summary.split()), "descriptionType": "Abstract"}],
        "formats": ["application/x-hdf5"],
        "sizes": [f"{size / 1e6:.1f} MB"],
        "rightsList": [LICENCE],
        "relatedIdentifiers": [
            {"relatedIdentifier": METHOD, "relatedIdentifierType": "DOI", "relationType": "References"}
        ],
    }  # fmt: skip


def _person(name: str) -> dict[str, str]:
    """A person, or a group where there is no comma, as CITATION.cff has them."""
    family, comma, given = (part.strip() for part in name.partition(","))
    return {"family-names": family, "given-names": given} if comma else {"name": name}


def _creator(name: str) -> dict[str, str]:
    family, comma, given = (part.strip() for part in name.partition(","))
    if not comma:
        return {"name": name, "nameType": "Organizational"}
    return {"name": f"{family}, {given}", "nameType": "Personal", "familyName": family, "givenName": given}

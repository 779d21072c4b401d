"""A data set to cite: labels of many Hamiltonians, with card, metadata and checksums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.config import yaml_text
from sdgnn.cli.config.dataset import DatasetConfig
from sdgnn.cli.report.card import CARD, CITATION, DATACITE, citation, data_card, datacite
from sdgnn.cli.results import Results, open_results
from sdgnn.common.files import atomic_path, file_hash, read_json
from sdgnn.data.dataset import Member, generate_dataset
from sdgnn.data.protocols import NoisyOrder
from sdgnn.data.sampling import Protocol

SUMS = "SHA256SUMS"
"""Hashes of all other files, as ``sha256sum -c`` reads them."""


def make_dataset(config: DatasetConfig, resume: bool = False) -> Path:
    """Generate the labels into a results folder, write what describes them, and return the folder."""
    results = open_results(config, "dataset", resume, ["workers", "scheduler"])
    members = list(config.members())
    states = sum(map(count, members))
    with timed(f"exact labels of {states} states of {len(members)} Hamiltonians"):
        generate_dataset(members, results.path, config.workers, config.scheduler, results.resumed, progress=True)
    describe(config, members, results)
    size = sum(path.stat().st_size for path in results.path.glob("*.h5"))
    say(f"data set: {results.path}, {size / 1e6:.1f} MB; {CARD} says what it is, check it with sha256sum -c {SUMS}")
    return results.path


def count(member: Member) -> int:
    """Number of its states."""
    return sum(protocol.samples * protocol.states_per_sample for protocol in member.protocols)


def describe(config: DatasetConfig, members: list[Member], results: Results) -> None:
    """Write card, metadata and checksums beside the files."""
    folder = results.path
    files: dict[str, dict[str, Any]] = {
        file: {"bytes": (folder / file).stat().st_size, "sha256": file_hash(folder / file)}
        for file in dict.fromkeys(member.file for member in members)
    }
    rows = [
        {
            "name": one.name, "file": one.file, "one": 1, "states": count(one), "seed": one.seed,
            "exchange": one.field.model.exchange, "kT": one.field.kT, "filling": one.field.filling,
        }
        for one in members
    ]  # fmt: skip
    made = read_json(folder / "provenance.json")["starts"][-1]
    date, summary = made["created"][:10], summarise(config, rows)
    texts = {
        CARD: data_card(
            config.title, config.creators, summary, rows, lattices(config), files, made,
            "sdgnn dataset config.yaml output=FOLDER",
        ),
        CITATION: yaml_text.dump(citation(config.title, config.creators, date)),
    }  # fmt: skip
    for name, text in texts.items():
        write_text(folder / name, text)
    size = sum(facts["bytes"] for facts in files.values())
    results.write_json(DATACITE, datacite(config.title, config.creators, summary, date, size))
    names = sorted([*files, *texts, DATACITE, "config.yaml", "provenance.json"])
    write_text(folder / SUMS, "".join(f"{file_hash(folder / name)}  {name}\n" for name in names))


def write_text(path: Path, text: str) -> None:
    """Write ``text``, complete or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def summarise(config: DatasetConfig, rows: list[dict[str, Any]]) -> str:
    """What the data set is, in a paragraph."""
    drawn = config.hamiltonians
    ranges = ", ".join(
        f"{name} from {low:g} to {high:g}{how}"
        for name, (low, high), how in (
            ("J", drawn.exchange, " (uniform in its logarithm)"),
            ("kT", drawn.kT, " (uniform in its logarithm)"),
            ("filling", drawn.filling, " (uniform)"),
        )
    )
    kinds = [one.lattice.type for one in config.lattices]
    states = sum(row["states"] for row in rows)
    return (
        "Effective fields, energies, electron densities and chemical potentials of classical spins coupled to\n"
        f"electrons (s-d model, double exchange), by exact diagonalisation: {states} states of {len(rows)} "
        f"Hamiltonians.\nLattices: {', '.join(kinds)}; {ranges}, drawn with seed {drawn.seed}."
    )


def lattices(config: DatasetConfig) -> list[dict[str, Any]]:
    """The lattices of the data set, in words."""
    found = []
    for one in config.lattices:
        lattice = one.lattice.build()
        twists = one.twists or (1,) * lattice.dim
        times = f"{' x '.join(map(str, twists))} times the size" if max(twists) > 1 else "its own size"
        found.append({
            "name": one.lattice.type, "repr": f"{lattice!r}".partition(": ")[2], "twists": times,
            "protocols": "; ".join(in_words(one.protocols)),
        })  # fmt: skip
    return found


def in_words(protocols: Iterable[Protocol]) -> list[str]:
    """What is drawn by each protocol."""
    words = []
    for protocol in protocols:
        if isinstance(protocol, NoisyOrder):
            strengths = ", ".join(f"{strength:g}" for strength in protocol.strengths)
            words.append(f"{protocol.samples} {protocol.order} with noise {strengths}")
        else:
            states = protocol.samples * protocol.states_per_sample
            words.append(f"{states} {protocol.to_dict()['protocol']}")
    return [f"{text} ({n} times)" if n > 1 else text for text, n in Counter(words).items()]

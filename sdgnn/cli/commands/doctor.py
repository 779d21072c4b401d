"""What an installation does on this machine: which loops run and how fast, what is missing, what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import llvmlite.binding
import torch

from sdgnn.cli.commands.benchmark import shortest_times
from sdgnn.common import compiling
from sdgnn.common.extras import MODULES, PURPOSES, missing
from sdgnn.common.processes import usable_cores
from sdgnn.common.provenance import plain_versions
from sdgnn.electrons import ExactField, SDModel
from sdgnn.electrons.kpm import compiled_recursion
from sdgnn.electrons.levels import Level
from sdgnn.electrons.truncated import kernel
from sdgnn.fields import Field
from sdgnn.fields.result import torque_part
from sdgnn.lattice import Lattice, first_colours
from sdgnn.nn import load
from sdgnn.nn.storage.load import names, shipped
from sdgnn.spins import random

State = Literal["ok", "note", "wrong"]
"""Of what was found: as it should be; worth knowing; what keeps the package from working."""

COMPILED = (kernel, compiled_recursion, first_colours)
"""Modules of compiled loops."""
TABLE: dict[Level, float] = {"fast": 16.9, "accurate": 47.3}
"""Processor microseconds per site of the table "How fast" (docs/truncated.md): triangular lattice of 48 x 48 sites at
fixed filling, float32, one thread of an Intel Xeon with AVX-512."""
SLOW = 2.0
"""Times the table's from which on a walk counts as slow; single figures of a shared machine swing by half."""
LEAST_R2 = 0.98
"""Torque R² against diagonalisation that loops which work exceed: 0.995 (fast) and 0.9995 (accurate) are usual."""
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "neon": "NEON"}
"""Names of vector instructions, the widest first, by what LLVM calls them."""
ROOM = 1e9
"""Bytes on a disk below which runs are likely to fill it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    text: str
    state: State = "ok"
    fix: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        line = f"{self.state:5}  {self.what:14} {self.text}"
        return f"{line}\n{'':22}{self.fix}" if self.fix else line


def diagnose() -> bool:
    """Print what is found, one thing after the other, and return whether all that the package needs works."""
    print(plain_versions(), flush=True)
    counts = dict.fromkeys(get_args(State), 0)
    for finding in findings():
        print(finding, flush=True)
        counts[finding.state] += 1
    healthy = counts["wrong"] == 0
    print("healthy" if healthy else f"{counts['wrong']} of these must be mended: see wrong")
    return healthy


def findings() -> Iterator[Finding]:
    """Everything, the quick things first."""
    yield processor(llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features())
    yield threads(torch.get_num_threads(), usable_cores())
    yield memory()
    yield disk(Path.cwd())
    yield accelerator()
    yield from (extra(name) for name in MODULES)
    yield models()
    yield from (cache(name) for name in compiling.kept)
    for level in get_args(Level):
        yield walk(level)


def processor(name: str, features: dict[str, bool]) -> Finding:
    """The processor that LLVM compiles for, and its widest vectors."""
    widest = next((text for key, text in VECTORS.items() if features.get(key)), "no vector instructions known")
    cores = f"{usable_cores()} of {os.cpu_count()} cores usable"
    text = f"{platform.system()}, {platform.machine()}, {name}, {widest}; {cores}"
    if widest != VECTORS["avx512f"]:
        return Finding("processor", text, "note", "times of the documentation are those of a processor with AVX-512")
    return Finding("processor", text)


def threads(wanted: int, cores: int) -> Finding:
    """Threads of torch, on which the compiled loops run too."""
    text = f"{wanted} for torch and compiled loops"
    if wanted > cores:
        return Finding("threads", f"{text}, more than cores", "note", f"set OMP_NUM_THREADS={cores} before the start")
    return Finding("threads", text)


def memory() -> Finding:
    """Main memory of the machine."""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return Finding("memory", f"{size:.1f} GB; each run says beforehand what it takes")


def disk(folder: Path) -> Finding:
    """Room in the folder where results would go."""
    if not os.access(folder, os.W_OK):
        return Finding("disk", f"{folder} cannot be written", "note", "work in another folder, or give output=FOLDER")
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free in {folder}"
    return Finding("disk", text, "note", "free space before long runs") if free < ROOM else Finding("disk", text)


def accelerator() -> Finding:
    """The GPUs that torch sees, or why there are none."""
    if torch.cuda.is_available():
        gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
        return Finding("GPU", f"{', '.join(gpus)}, by device=cuda")
    if torch.version.cuda is None and torch.version.hip is None:
        return Finding("GPU", "none: this torch is built for processors alone; all commands run without")
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}"
    fix = "with a GPU in the machine: nvidia-smi shows the driver, which has to be as new as that CUDA"
    return Finding("GPU", f"none is seen by this torch, which is built for {built}", "note", fix)


def extra(name: str) -> Finding:
    """An optional dependency."""
    purpose = PURPOSES[name]  # type: ignore[index]
    if missing(name):  # type: ignore[arg-type]
        return Finding(f"[{name}]", f"not installed ({purpose}): pip install 'sdgnn[{name}]'", "note")
    return Finding(f"[{name}]", purpose)


def models() -> Finding:
    """The shipped models, read."""
    try:
        for name in shipped():
            load(name)
    except Exception as error:
        return Finding("models", f"{type(error).__name__}: {error}", "wrong", "install the package again")
    return Finding("models", f"{', '.join(names())}: read")


def cache(name: str) -> Finding:
    """Where compiled loops are kept."""
    folder = compiling.kept[name]
    if folder is None:
        return Finding(
            "compiled loops", f"{name}: compiled at every start", "note", "set NUMBA_CACHE_DIR to a folder of your own"
        )
    state = "compiled before" if any(folder.rglob("*.nbc")) else "to be compiled on first use, some seconds"
    return Finding("compiled loops", f"{name}: {state}, kept in {folder}")


def walk(level: Level) -> Finding:
    """The walk of electrons at a level: its torques against diagonalisation, and its time beside the table's."""
    start = time.monotonic()
    try:
        r2 = agreement(level)
        first = time.monotonic() - start
        microseconds = speed(level)
    except Exception as error:
        fix = "run it again with NUMBA_CACHE_DIR=FOLDER, a new folder; pip install --force-reinstall numba llvmlite"
        return Finding(f"walk, {level}", f"{type(error).__name__}: {error}", "wrong", fix)
    return judged(level, r2, microseconds, first)


def judged(level: Level, r2: float, microseconds: float, seconds: float) -> Finding:
    """What figures of a walk mean."""
    what, table = f"walk, {level}", TABLE[level]
    right = f"torque R² {r2:.4f} against diagonalisation"
    fast = f"{microseconds:.1f} µs per site and thread, {table} in the table"
    text = f"{right}; {fast}; first call {seconds:.1f} s"
    if not r2 > LEAST_R2:
        return Finding(what, f"{text}: not what is meant to be computed", "wrong", "try other versions of numba")
    if microseconds > SLOW * table:
        fix = "without AVX-512, or where others use the cores, every run takes longer than the documentation says"
        return Finding(what, f"{text}: slow", "note", fix)
    return Finding(what, text)


def agreement(level: Level) -> float:
    """Torque R² of random spins of 12 x 12 triangular sites, J = 3, quarter filling, kT = 0.1, four boundary phases."""
    lattice = Lattice.triangular(12, 12)
    spins = random(lattice, seed=0).float()
    model = SDModel(lattice, exchange=3.0)
    exact = ExactField(model, kT=0.1, filling=0.25, twists=(2, 2))(spins.double())
    wanted = torque_part(exact.field, spins.double())
    given = torque_part(universal(model, level, kT=0.1)(spins).field.double(), spins.double())
    return 1 - float((given - wanted).square().sum() / wanted.square().sum())


def speed(level: Level) -> float:
    """Processor microseconds per site as in :data:`TABLE`, the shortest of three evaluations."""
    lattice = Lattice.triangular(48, 48)
    field, spins = universal(SDModel(lattice, exchange=3.0), level, kT=0.05), random(lattice, seed=0).float()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        field(spins)  # for what is set up once
        _, processor_time, _ = shortest_times(lambda: field(spins), 3)
    finally:
        torch.set_num_threads(before)
    return 1e6 * processor_time / lattice.n_sites


def universal(model: SDModel, level: Level, kT: float) -> Field:
    """The walk without anything learned."""
    return load("universal", level=level).on(model, kT=kT, filling=0.25)

"""Active learning: a committee drives the dynamics; states with the largest predicted error are labelled and added."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sdgnn.common.differences import differences
from sdgnn.common.errors import UserError
from sdgnn.common.files import plain, read_json, write_json
from sdgnn.common.provenance import provenance
from sdgnn.data import Given, LabelSet, Protocol, generate, store
from sdgnn.data.crop import check_crop
from sdgnn.data.sampling import sample_seed
from sdgnn.data.solvers import describe
from sdgnn.fields import Field
from sdgnn.nn import Model, Settings, create, load
from sdgnn.nn.committee import RECORD, Committee
from sdgnn.nn.storage.load import load_committee
from sdgnn.train.acquisition import Acquisition, one_of_each_run, pick, picked_spins
from sdgnn.train.baselines import baselines, compare
from sdgnn.train.binding import with_electrons
from sdgnn.train.loop import fit
from sdgnn.train.reliability import calibrate, errors, reliability
from sdgnn.train.settings import LearnSettings, TrainSettings

SETTINGS_NAME = "learn.json"
"""The name of the settings in a learning's folder."""
FREE = ("rounds", "labels", "minutes", "target_r2", "target_rmse")
"""Settings that may differ when a run is resumed: they say when to stop, not what to do."""


@dataclass(frozen=True)
class Learned:
    """The outcome of learning."""

    committee: Committee
    """The last round's committee, calibrated."""
    rounds: list[dict[str, Any]]
    """Content of ``rounds.json``: one entry per round."""
    reason: str
    """Why it ended."""


def learn(
    exact: Field,
    protocols: Sequence[Protocol],
    exploration: Acquisition,
    network: Settings,
    training: TrainSettings,
    settings: LearnSettings,
    folder: Path,
    *,
    validation: float = 0.2,
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    progress: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Learned:
    """Train a committee on labels of ``protocols``, then round by round on states from its own dynamics.

    ``exact`` labels, a field of electrons by any solver. Each round trains the members (from the round before on),
    calibrates the committee on validation states, runs the dynamics of ``exploration``, judges the committee on fresh
    states of separate runs, and unless the target is met or a budget ends, labels the states with the largest predicted
    torque error and adds them. Stages in ``folder``:

    ========================= ======================================================================================
    learn.json                settings of the whole
    labels.h5                 labels of ``protocols``; ``validation`` is the part of them that is not trained on
    round-NN/members/K/       training of member K, see :func:`~sdgnn.train.fit`
    round-NN/committee/       the calibrated committee
    round-NN/judge/, fresh.h5 runs on the labels' lattice, and one labelled state of each
    round-NN/judged.json      errors on these, beside Heisenberg models, and the calibration there
    round-NN/explore/         runs on the lattice of interest
    round-NN/picked.h5, .json the states added for the next round, and where they come from
    committee/, rounds.json   the last committee, and all rounds in numbers
    ========================= ======================================================================================

    Every file is complete or absent. With ``resume``, finished stages are read, and the result is bit for bit that of
    an uninterrupted run on the same machine; budgets and targets may be changed then.

    ``workers`` and ``scheduler`` are those of :func:`~sdgnn.data.generate`; ``say`` takes a line about each stage.

    Raises UserError when the exact field cannot label pieces of the explored lattice, when the folder holds another
    learning, and as :func:`~sdgnn.data.generate` and :func:`~sdgnn.train.fit` do.
    """
    check_crop(exploration.lattice, exact.lattice)
    record = {
        "settings": settings.model_dump(exclude=set(FREE)),
        "network": network.model_dump(),
        "training": training.model_dump(),
        "exploration": exploration.to_dict(),
        "protocols": [protocol.to_dict() for protocol in protocols],
        "labels": {"lattice": exact.lattice.to_dict(), **describe(exact).physics},
        "validation": validation,
        "seed": seed,
    }
    _open(folder, record, resume)
    stages = _Stages(exact, exploration, network, training, settings, folder, seed, workers, scheduler, progress, say)
    initial = stages.label(list(protocols), folder / "labels.h5", 0)
    first, held_out = initial.split([1 - validation, validation], seed)
    fresh: list[LabelSet] = []
    picked: list[LabelSet] = []
    rounds: list[dict[str, Any]] = []
    while True:
        number = len(rounds)
        sets = LabelSet.concatenate([first, *picked]), LabelSet.concatenate([held_out, *fresh])
        committee, judged = stages.round(number, *sets)
        fresh.append(store.read(folder / f"round-{number:02d}" / "fresh.h5"))
        rounds.append(judged)
        reason = _reason_to_stop(rounds, len(sets[0]) + len(sets[1]) + len(fresh[-1]), settings)
        if reason is None:
            labels, found = stages.pick(number, committee)
            picked.append(labels)
            judged |= {"picks": found["picks"], "seconds": round(judged["seconds"] + found["seconds"], 1)}
        write_json(folder / "rounds.json", {"rounds": rounds, "reason": reason})
        if reason is not None:
            committee.save(folder / "committee", committee.provenance)
            return Learned(committee, rounds, reason)


def _reason_to_stop(rounds: list[dict[str, Any]], labels: int, settings: LearnSettings) -> str | None:
    """Why no further round begins, in words; None when one does."""
    last = rounds[-1]["errors"]
    s, seconds = settings, [one["seconds"] for one in rounds]
    if s.target_r2 is not None and last["torque_r2"] >= s.target_r2:
        return f"target met: torque R^2 {last['torque_r2']:.4f} >= {s.target_r2:g}"
    if s.target_rmse is not None and last["torque_rmse"] <= s.target_rmse:
        return f"target met: torque RMSE {last['torque_rmse']:.3g} <= {s.target_rmse:g}"
    if len(rounds) >= s.rounds:
        return f"budget of {s.rounds} round(s) used"
    if s.labels is not None and labels + s.picks + s.fresh > s.labels:
        return f"{labels} labels used; another round's {s.picks + s.fresh} would pass the budget of {s.labels}"
    if s.minutes is not None and sum(seconds) + seconds[-1] > 60 * s.minutes:
        return f"{sum(seconds) / 60:.1f} minutes used; another round would pass the budget of {s.minutes:g}"
    return None


@dataclass(frozen=True)
class _Stages:
    """The stages of a round; each returns at once when its files are there."""

    exact: Field
    exploration: Acquisition
    network: Settings
    training: TrainSettings
    settings: LearnSettings
    folder: Path
    seed: int
    workers: int | None
    scheduler: str | None
    progress: bool
    say: Callable[[str], None]

    def label(self, protocols: Sequence[Protocol], path: Path, stream: int) -> LabelSet:
        """Exact labels of ``protocols`` in ``path``."""
        if not path.is_file():
            self.say(f"labels: {path}")
        seed = sample_seed(self.seed, 0, stream)
        return generate(
            self.exact, protocols, path, seed=seed, workers=self.workers, scheduler=self.scheduler, resume=True,
            progress=self.progress,
        )  # fmt: skip

    def round(self, number: int, training: LabelSet, validation: LabelSet) -> tuple[Committee, dict[str, Any]]:
        """Committee of a round and its errors on fresh states."""
        start, place = time.monotonic(), self.folder / f"round-{number:02d}"
        self.say(f"round {number}: {len(training)} training and {len(validation)} validation states")
        committee = self._committee(number, training, validation)
        if (place / "judged.json").is_file():
            return committee, read_json(place / "judged.json")
        runs = self.exploration.run(
            committee, self.exact.lattice, self.settings.fresh, sample_seed(self.seed, 1, number), place / "judge"
        )
        states = Given(spins=one_of_each_run(runs), label=f"fresh, round {number}")
        fresh = self.label([states], place / "fresh.h5", 2 * number + 1)
        comparison = compare(
            {"committee": committee.on(fresh.lattice), **baselines([training], fresh.lattice)}, fresh
        ).to_dict()
        judged = {
            "round": number,
            "training_states": len(training),
            "validation_states": len(validation),
            "errors": next(row for row in comparison if row["field"] == "committee"),
            "comparison": comparison,
            "calibration": asdict(committee.calibration),
            "reliability": asdict(reliability(committee, fresh)),
            "seconds": round(time.monotonic() - start, 1),
        }
        write_json(place / "judged.json", judged)
        return committee, judged

    def _committee(self, number: int, training: LabelSet, validation: LabelSet) -> Committee:
        place = self.folder / f"round-{number:02d}"
        if (place / "committee" / RECORD).is_file():
            return load_committee(place / "committee")
        members = [self._member(number, k, training, validation) for k in range(self.settings.members)]
        committee = calibrate(Committee(members), validation)
        made = {
            **provenance(), "physics": training.origin.physics, "round": number,
            "training": training.content_hash, "validation": validation.content_hash,
        }  # fmt: skip
        committee.save(place / "committee", made)
        return committee

    def _member(self, number: int, k: int, training: LabelSet, validation: LabelSet) -> Model:
        """Member ``k``, trained from where the round before left it; read back so that a resumed run has the same."""
        place = self.folder / f"round-{number:02d}" / "members" / str(k)
        if not (place / "metrics.json").is_file():
            self.say(f"round {number}: training member {k + 1} of {self.settings.members}")
            if number == 0:
                start = create(with_electrons(self.network, [training]), training.lattice, sample_seed(self.seed, 2, k))
            else:
                start = load(self.folder / f"round-{number - 1:02d}" / "members" / str(k))
            own = self.training.model_copy(update={"seed": sample_seed(self.training.seed, number, k)})
            fit(start, [training], [validation], own, place, resume=True, progress=self.progress)
        return load(place)

    def pick(self, number: int, committee: Committee) -> tuple[LabelSet, dict[str, Any]]:
        """States of the committee's own runs with the largest predicted errors, labelled, and where they come from."""
        start, place = time.monotonic(), self.folder / f"round-{number:02d}"
        if not (place / "picked.json").is_file():
            self.say(f"round {number}: {self.exploration.replicas} run(s) of {self.exploration.lattice!r}")
            lattice, smaller = self.exploration.lattice, self.exact.lattice
            seed = sample_seed(self.seed, 3, number)
            runs = self.exploration.run(committee, lattice, self.exploration.replicas, seed, place / "explore")
            picks = pick(runs, lattice, smaller, self.settings.picks, self.settings.window)
            states = Given(spins=picked_spins(runs, picks, lattice, smaller), label=f"picked, round {number}")
            labels = self.label([states], place / "picked.h5", 2 * number + 2)
            _, true = errors(committee, labels)
            numbers = [
                {**asdict(one), "true": float((wrong**2).mean() ** 0.5)} for one, wrong in zip(picks, true, strict=True)
            ]
            write_json(place / "picked.json", {"picks": numbers, "seconds": round(time.monotonic() - start, 1)})
        return store.read(place / "picked.h5"), read_json(place / "picked.json")


def exploration_of(folder: Path) -> dict[str, Any]:
    """Settings of the acquisition runs in the learn.json of a folder; empty where there is no such file."""
    path = folder / SETTINGS_NAME
    return dict(read_json(path).get("exploration", {})) if path.is_file() else {}


def _open(folder: Path, record: dict[str, Any], resume: bool) -> None:
    """Write learn.json into a fresh folder, or check that what is there is the same."""
    path, record = folder / SETTINGS_NAME, plain(record)
    if path.is_file():
        if not resume:
            raise UserError(f"{folder} already holds a learning", allowed="a new folder", fix="resume it")
        before = read_json(path)
        if different := differences({key: before.get(key) for key in record}, record):
            raise UserError(
                f"resuming {folder} with {different} (there and asked for)",
                allowed=f"the settings of the interrupted run; {', '.join(FREE)} may differ",
                fix="start a new folder",
            )
        return
    write_json(path, {**record, "provenance": provenance()})

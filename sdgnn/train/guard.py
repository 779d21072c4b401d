"""A guard: watches during a run whether its states are ones that the driving committee knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ConfigDict
from torch import Tensor

from sdgnn.common.differences import differences
from sdgnn.common.errors import UnknownStates, UserError
from sdgnn.common.files import plain
from sdgnn.common.provenance import commit, now
from sdgnn.common.version import VERSION
from sdgnn.data import hdf5, store
from sdgnn.data.crop import check_crop, crop, largest_corner
from sdgnn.data.labels import LabelSet
from sdgnn.data.sampling import sample_seed
from sdgnn.data.solvers import describe, label
from sdgnn.dynamics.observers import Observer
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, FieldResult, Sum
from sdgnn.lattice import Lattice
from sdgnn.nn.committee import CommitteeField
from sdgnn.train.settings import GuardSettings

OBSERVABLE = "unknown_share"
"""Name under which a guarded run records the part of the sites that the committee does not know."""
LABELS = "unknown.h5"
"""Label set of the states that left the known region, in the run's folder."""


class Guard(GuardSettings):
    """Stops a run whose states its committee does not know, or labels them exactly and goes on.

    A site is unknown where the predicted torque error exceeds ``limit``; a replica has left the known region when more
    than ``share`` of its sites are unknown. The share is recorded as the observable ``unknown_share`` (replica,).

        sdgnn.simulate(sdgnn.load("results/learn/committee").on(lattice), spins, integrator, steps, guard=Guard())

    Raises UserError on numbers out of range.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    exact: Field | None = None
    """With an exact field, the states are labelled and the run goes on; without one it stops. On a smaller lattice of
    the same family than the run's, the piece with the largest predicted errors is cut out and labelled."""
    path: Path | None = None
    """Label set to write to, ``unknown.h5`` in the run's folder by default; states already in it are kept."""

    def limit_in(self, field: Field) -> float:
        """The limit in a run of ``field``. Raises UserError when nothing there predicts its error or gives a limit."""
        measured = committee_in(field).calibration.limit
        limit = measured if self.limit is None else self.limit
        if limit is None:
            raise UserError(
                "a guard for a committee without calibration", fix="calibrate it, or give the guard a limit"
            )
        return limit

    def observer(self, field: Field, folder: Path | None = None) -> Observer:
        """The observer that watches a run of ``field``.

        Raises UserError as :meth:`limit_in` does, and when the exact field cannot label the run's states or has no
        file.
        """
        limit = self.limit_in(field)
        if self.exact is None:
            act: Callable[[State, Tensor, Tensor], None] = self._stop
        else:
            path = self.path if self.path is not None else folder / LABELS if folder is not None else None
            if path is None:
                raise UserError("a guard that labels, without a file", allowed="a folder for the run, or a path")
            act = _Labeller(self, self.exact, field.lattice, path)

        def watch(state: State, result: FieldResult) -> Float[Tensor, " replica"]:
            assert result.torque_error is not None
            share = (result.torque_error > limit).double().mean(1)
            if (share > self.share).any():
                act(state, share, result.torque_error)
            return share

        return Observer(OBSERVABLE, watch, (), self.every)

    def _stop(self, state: State, share: Tensor, errors: Tensor) -> None:
        replica = int(share.argmax())
        raise UnknownStates(
            f"step {state.step} (time {state.time:g}): replica {state.streams[replica]} has left what the committee "
            f"knows: {100 * float(share[replica]):.1f} % of its sites are unknown, {100 * self.share:.3g} % allowed; "
            f"predicted torque error {float(errors[replica].square().mean().sqrt()):.3g} t. "
            "What was recorded and the state before are saved. Teach the model such states (sdgnn learn), let the run "
            "label them and go on (guard.then=label), or go on as it is with a larger guard.share (1 never stops)"
        )


def committee_in(field: Field) -> CommitteeField:
    """The committee in a field. Raises UserError unless there is exactly one."""
    parts = field.parts if isinstance(field, Sum) else (field,)
    found = [part for part in parts if isinstance(part, CommitteeField)]
    if len(found) != 1:
        raise UserError(
            f"a guard for {field!r}",
            allowed="a field with one committee, which predicts its error",
            fix="use the committee that sdgnn learn writes",
        )
    return found[0]


class _Labeller:
    """Labels states that left the known region and adds them to a file."""

    def __init__(self, guard: Guard, exact: Field, lattice: Lattice, path: Path) -> None:
        check_crop(lattice, exact.lattice)
        self._guard, self._exact, self._lattice, self._path = guard, exact, lattice, path
        self._origin = replace(describe(exact), version=VERSION, commit=commit())
        if path.is_file():
            there = store.read(path)
            different = differences(
                {"lattice": there.lattice.to_dict(), **there.origin.physics},
                plain({"lattice": exact.lattice.to_dict(), **self._origin.physics}),
            )
            if different:
                raise UserError(f"{path} holds labels of {different} (there and asked for)", fix="choose another file")

    def __call__(self, state: State, share: Tensor, errors: Tensor) -> None:
        """Label every replica that is outside and has no label in the steps before."""
        there = store.read(self._path) if self._path.is_file() else None
        seeds = [sample_seed(state.seed, 0, replica) for replica in state.streams]
        chosen = [
            k for k, outside in enumerate((share > self._guard.share).tolist())
            if outside and not self._recent(there, seeds[k], state.step)
        ]  # fmt: skip
        if not chosen:
            return
        if there is not None and len(there) + len(chosen) > self._guard.most:
            raise UnknownStates(
                f"step {state.step} (time {state.time:g}): {len(there)} states that the committee does not know are "
                f"labelled in {self._path}, of at most {self._guard.most}; the run goes on leaving what it knows. "
                "What was recorded and the state before are saved. Train on these labels (sdgnn train, sdgnn learn), "
                "or go on with a larger guard.most or guard.share"
            )
        corners = [largest_corner(errors[k].square().cpu().numpy(), self._lattice, self._exact.lattice) for k in chosen]
        spins = torch.cat(
            [
                crop(state.spins[k : k + 1].cpu(), self._lattice, self._exact.lattice, corner)
                for k, corner in zip(chosen, corners, strict=True)
            ]
        )
        new = self._labels(spins, [seeds[k] for k in chosen], state.step)
        hdf5.write(new if there is None else LabelSet.concatenate([there, new]), self._path)

    def _recent(self, there: LabelSet | None, seed: int, step: int) -> bool:
        """Whether the run of ``seed`` was labelled at this step or in the window before it.

        A resumed run passes steps again whose states are labelled already: it finds them here and labels none twice.
        """
        if there is None:
            return False
        own = there.steps[there.seeds == seed]
        return bool(((own <= step) & (step - own < self._guard.window)).any())

    def _labels(self, spins: Tensor, seeds: list[int], step: int) -> LabelSet:
        spins = spins.double() / spins.double().norm(dim=-1, keepdim=True)
        names, origin = ("unknown to the committee",) * len(spins), replace(self._origin, created=now())
        return label(self._exact, spins, names, np.array(seeds), np.full(len(spins), step), origin)

"""What a run writes: observations, and the states from which it can go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sdgnn.common.processes import first_alone, number_of_processes, together
from sdgnn.dynamics.checkpoint import save_checkpoint
from sdgnn.dynamics.recorder import Recorder
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


class Writer:
    """Records the states of a run of ``field`` and keeps the last one in ``folder``, if there is one.

    Where several processes share the run, ``gather`` makes the state of the crystal of their parts, and the first
    process writes.
    """

    def __init__(self, field: Field, recorder: Recorder, folder: Path | None, gather: Callable[[State], State]) -> None:
        self._field, self._recorder, self._folder, self._gather = field, recorder, folder, gather
        self._saved = -1
        self._is_first = number_of_processes()[1] == 0

    def begin(self, state: State, steps: int) -> State:
        """Make room for the steps up to ``steps``; keep and record the very first state."""
        self._saved = state.step  # first, so that a folder that is refused keeps its checkpoints as they are
        whole = self._gather(state)
        with first_alone() as mine:
            if mine:
                self._recorder.begin(whole, steps)
                if not state.step and self._folder is not None:
                    save_checkpoint(self._folder, whole)
        return state if state.step else self.record(state)

    def record(self, state: State) -> State:
        """The state, evaluated where observers were due."""
        if self._recorder.due(state.step):
            state = state.evaluated(self._field)
            whole = self._gather(state)
            if self._is_first:
                self._recorder.record(whole, whole.result(self._field))
        return state

    def save(self, state: State) -> None:
        """Write what was seen, and the state."""
        whole = self._gather(state)
        if self._is_first:
            self._recorder.flush()
            if self._folder is not None and state.step > self._saved:
                save_checkpoint(self._folder, whole)
                self._saved = state.step

    def interrupted(self, state: State) -> None:
        """Write what can be written when something ends the run.

        Of several processes the others may be at another step, so the last checkpoint is the one to go on from.
        """
        if not together():
            self.save(state)
        elif self._is_first:
            self._recorder.flush()

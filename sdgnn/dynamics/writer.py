"""What a run writes: observations, and the states from which it can go on."""

from __future__ import annotations

from pathlib import Path

from sdgnn.dynamics.checkpoint import save_checkpoint
from sdgnn.dynamics.state import State
from sdgnn.dynamics.trajectory import Recorder
from sdgnn.fields import Field


class Writer:
    """Records the states of a run of ``field`` and keeps the last one in ``folder``, if there is one."""

    def __init__(self, field: Field, recorder: Recorder, folder: Path | None) -> None:
        self.field, self.recorder, self.folder = field, recorder, folder
        self._saved = -1

    def begin(self, state: State, steps: int) -> State:
        """Make room for the steps up to ``steps``; keep and record the very first state."""
        self._saved = state.step  # first, so that a folder that is refused keeps its checkpoints as they are
        self.recorder.begin(state, steps)
        if state.step:
            return state
        if self.folder is not None:
            save_checkpoint(self.folder, state)
        return self.record(state)

    def record(self, state: State) -> State:
        """The state, evaluated where observers were due."""
        if self.recorder.due(state.step):
            state = state.evaluated(self.field)
            self.recorder.record(state, state.result(self.field))
        return state

    def save(self, state: State) -> None:
        """Write what was seen, and the state."""
        self.recorder.flush()
        if self.folder is not None and state.step > self._saved:
            save_checkpoint(self.folder, state)
            self._saved = state.step

    def interrupted(self, state: State) -> None:
        """Write what can be written when something ends the run."""
        self.save(state)

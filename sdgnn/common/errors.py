"""Errors that say what was given, what is allowed and what to do."""

from __future__ import annotations


class UserError(ValueError):
    """A mistake in what the user asked for; the command line ends with status 2.

    ``given`` names what was found, ``allowed`` what would be accepted, ``fix`` (optional) what to do about it.
    """

    def __init__(self, given: str, *, allowed: str = "", fix: str = "") -> None:
        self.given, self.allowed, self.fix = given, allowed, fix
        parts = [given, f"allowed: {allowed}" if allowed else "", fix]
        super().__init__("; ".join(part for part in parts if part))


class NumericalError(ArithmeticError):
    """A calculation whose numbers went wrong: not finite, or an iteration that does not converge."""


class UnknownStates(RuntimeError):
    """A guarded run has left the states that its model knows; what it wrote is kept, the message says what to do."""


class StepSizeWarning(UserWarning):
    """A time step so large that the dynamics is not that of the equation."""


class LabelsWarning(UserWarning):
    """Labels that do not serve what they are used for: states that judge a model and were trained on."""


class DamagedFileWarning(UserWarning):
    """A file that the disk has changed since it was written, and what is done without it."""


class UnlockedFolderWarning(UserWarning):
    """A folder whose file system cannot keep a second writer out."""


class Terminated(BaseException):
    """A signal asked the process to end; like KeyboardInterrupt it passes through, and what is finished is saved."""

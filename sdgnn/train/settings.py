"""How a network is trained: every setting with its meaning, limits and default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sdgnn.common.settings import Count, Positive, Precision, Settings, dtype_of

if TYPE_CHECKING:
    import torch


class TrainSettings(Settings):
    """Settings of :func:`sdgnn.train.fit`."""

    epochs: int = Field(100, ge=1)
    """Passes over all training states. The learning rate's schedule spans these."""
    batch: int = Field(1, ge=1)
    """States per step, of each process where several train together; a batch holds states of one lattice."""
    learning_rate: float = Field(1e-2, gt=0)
    """Peak learning rate of AdamW."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Fraction of all steps over which the learning rate rises linearly to its peak; it then falls as a cosine."""
    final_rate: float = Field(0.01, ge=0, le=1)
    """Learning rate at the last step, as a fraction of the peak."""
    weight_decay: float = Field(1e-5, ge=0)
    """Decoupled weight decay of AdamW (Loshchilov and Hutter, arXiv:1711.05101)."""
    clip: float = Field(1.0, gt=0)
    """Gradients longer than this (2-norm over all parameters) are shortened to it."""
    ema: float = Field(0.999, ge=0, lt=1)
    """Decay per step of the moving average of the weights; the average is what is validated and saved. Early on, after
    n steps, the decay is (1 + n) / (10 + n) if that is smaller, so that short runs forget the start too."""
    torque_weight: float = Field(1.0, gt=0)
    """Weight of the torque error in the loss, in units of the mean squared torque."""
    longitudinal_weight: float = Field(0.01, ge=0)
    """Weight of the error of the field along the spin, in units of its mean square."""
    energy_weight: float = Field(1e-3, ge=0)
    """Weight of the error of the energy per site, in units of its variance over the training states. Torques fix the
    energy up to a constant, and a state holds one energy but many torques: larger weights add noise."""
    patience: int | None = Field(None, ge=1)
    """Stop after this many epochs without a better validation torque R^2; None trains to the end. Either way the
    averaged weights with the best one are kept."""
    minutes: float | None = Field(None, gt=0)
    """Stop at the end of the epoch in which this wall time is exceeded, earlier parts of a resumed run included. The
    learning rate then follows steps or time, whichever is further along, so that its schedule completes on a slow
    machine too. Such a run does not repeat bit for bit: leave it None (no limit) where it must."""
    seed: int = Field(0, ge=0)
    """Seed of the order of the states. Initial weights belong to the network."""
    dtype: Precision = "float32"
    """Precision of training."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to train; ``auto`` takes a GPU if there is one."""

    @property
    def torch_dtype(self) -> torch.dtype:
        """``dtype`` as torch names it."""
        return dtype_of(self.dtype)


class LearnSettings(Settings):
    """How a committee learns from its own dynamics."""

    members: int = Field(3, ge=2, le=16)
    """Networks in the committee, alike but for their seeds. Training and dynamics take as many times longer."""
    picks: int = Field(8, ge=1)
    """States that are labelled and added in each round: those where the members disagree most."""
    window: int = Field(20, ge=1)
    """Steps that two picked states of one run are apart at least: neighbouring states are one sample."""
    fresh: int = Field(6, ge=2)
    """States on which each round is judged, each from a run of its own and labelled exactly. Afterwards they join the
    validation states, which calibrate the committee and choose the best weights; they are never trained on."""
    rounds: int = Field(4, ge=1)
    """Budget: rounds in all."""
    labels: int | None = Field(None, ge=1)
    """Budget: exactly labelled states in all, the first ones included; no round begins that would pass it."""
    minutes: float | None = Field(None, gt=0)
    """Budget: wall time; no round begins that would pass it if it took as long as the last."""
    target_r2: float | None = Field(None, lt=1)
    """Stop once the torque R^2 on fresh states reaches this."""
    target_rmse: float | None = Field(None, gt=0)
    """Stop once the torque RMSE (t, per component) on fresh states is no larger than this."""


class GuardSettings(Settings):
    """When a run has left the states that the committee which drives it knows."""

    limit: Positive | None = None
    """Predicted torque error (t, rms per component) beyond which a site is unknown; by default what 99 % of the sites
    of the committee's held-out states stay below."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Part of a replica's sites that may be unknown; 1 never acts. Of states like the held-out ones, 0.01 are."""
    every: Count = 10
    """Steps between looks; unknown_share is recorded at each."""
    window: Count = 100
    """Steps for which a replica is left alone after one of its states was labelled: neighbours are one sample."""
    most: Count = 50
    """Labelled states after which the run stops all the same."""

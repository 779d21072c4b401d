"""Means and standard errors over independent replicas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.errors import UserError
from sdgnn.seeds import check_seed


def mean_and_error(values: Float[Tensor, "replica *rest"]) -> tuple[Float[Tensor, "*rest"], Float[Tensor, "*rest"]]:
    """Mean over replicas and its standard error s / sqrt(n), s^2 = sum (x - mean)^2 / (n - 1).

    Both have the shape of one replica. With a single replica the error is nan: nothing is known about it.
    """
    n = len(values)
    if n == 0:
        raise UserError("a mean over no replica", allowed="at least one")
    error = values.std(0, correction=1) / n**0.5 if n > 1 else torch.full_like(values[0], torch.nan)
    return values.mean(0), error


def bootstrap(
    values: Float[Tensor, "replica *rest"],
    statistic: Callable[[Tensor], Tensor],
    samples: int = 1000,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """``statistic(values)`` and its bootstrap standard error over replicas.

    ``statistic`` takes (replica, ...) to any shape, for instance the exponent fitted to the mean of L(t). The error is
    the standard deviation over ``samples`` draws of n replicas out of n with replacement (Efron, Ann. Stat. 7, 1
    (1979), doi:10.1214/aos/1176344552). For a mean it is sqrt((n - 1) / n) of :func:`mean_and_error`'s.
    Raises UserError with fewer than two replicas or samples.
    """
    n = len(values)
    if n < 2 or samples < 2:
        raise UserError(f"a bootstrap of {n} replicas with {samples} samples", allowed="at least 2 of either")
    draws = np.random.default_rng(check_seed(seed)).integers(n, size=(samples, n))
    resampled = torch.stack([statistic(values[torch.from_numpy(draw).to(values.device)]) for draw in draws])
    return statistic(values), resampled.std(0, correction=1)

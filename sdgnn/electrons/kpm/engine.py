"""What a Chebyshev recursion can do, whatever it computes with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Complex, Float
from torch import Tensor

Rows = TypeVar("Rows")


class Recursion(ABC, Generic[Rows]):
    """T_{m+1} = 2 H~ T_m - T_{m-1} of a batch of states, on vectors in the engine's own layout of rows."""

    @abstractmethod
    def pack(self, psi: Complex[Tensor, "replica site 2 vector"]) -> Rows:
        """Vectors as rows."""

    @abstractmethod
    def unpack(self, rows: Rows, shape: tuple[int, ...]) -> Complex[Tensor, "replica site 2 vector"]:
        """Rows as vectors of ``shape``."""

    @abstractmethod
    def first(self, start: Rows) -> Rows:
        """T_1 from T_0."""

    @abstractmethod
    def next(self, last: Rows, before: Rows) -> Rows:
        """T_{m+1} from T_m and T_{m-1}."""

    @abstractmethod
    def forward(self, start: Rows, count: int) -> tuple[Float[Tensor, "replica moment lane"], Rows, Rows]:
        """Moments m < ``count`` (even, at least 4) of T_0 = ``start`` in float64, T_{K-1} and T_K for K = count / 2.

        There may be more lanes than vectors; the others are zero.
        """

    @abstractmethod
    def reverse(
        self, before: Rows, last: Rows, weights: Float[np.ndarray, "replica step 3"]
    ) -> Float[Tensor, "replica site 4"]:
        """Gradient (g_x, g_y, g_z, g_0) = Re tr(sigma G_i) of dOmega = Re tr(G dH~), summed over the vectors.

        ``before`` and ``last`` are T_{K-1} and T_K of :meth:`forward`, and are used up: the recursion runs backwards
        from them, T_{k-1} = 2 H~ T_k - T_{k+1}, so that no other vector is ever stored. In float32 it comes back to
        T_0 to about 1e-6 after 500 steps. Beside it runs the adjoint b_k = w_k + 2 H~ b_{k+1} - b_{k+2} (weights
        from ``reverse_weights``), and G = sum_{k>0} 2 |T_k><b_{k+1}| + |T_0><b_1|: two products with H~ per step.
        """

"""The network's rounds of messages on all boxes of a crystal, as one differentiable function of spins and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.errors import UserError
from sdgnn.lattice import Lattice
from sdgnn.nn.compiled.boxes import GROUP, STRIDE, Boxes
from sdgnn.nn.directions import Directions
from sdgnn.nn.layers import Interaction

LAYER_WEIGHTS = 7
"""Arrays of weights that the loops take for each layer."""

MOST_DIRECTIONS = 6
"""Bond directions, at most: the loops turn harmonics into directions by matrices of 1, 2 or 3 pairs of them
(:func:`sdgnn.nn.compiled.rows.to_directions`)."""

CACHE_LINE = 64
"""Bytes; vectors that cross cache lines take twice the time."""


@dataclass(frozen=True, eq=False)
class Boxed:
    """A number of replicas of a crystal in boxes, in one precision."""

    boxes: Boxes
    dtype: np.dtype[Any]

    @classmethod
    def of(
        cls, lattice: Lattice, directions: Directions, replicas: int, device: torch.device, dtype: torch.dtype
    ) -> Boxed | None:
        """None on devices other than the CPU and on crystals that :class:`Boxes` does not cut.

        Raises UserError on crystals with more bond directions than the loops know.
        """
        boxes = Boxes.of(lattice, directions, replicas) if device.type == "cpu" else None
        if boxes is None:
            return None
        if len(directions) > MOST_DIRECTIONS:
            raise UserError(
                f"a network with {len(directions)} bond directions on the CPU, on {lattice!r}",
                allowed=f"crystals whose nearest-neighbour bonds have at most {MOST_DIRECTIONS} directions, both ways "
                "counted (chain, square, triangular, honeycomb, kagome, cubic); not bcc, fcc, diamond and pyrochlore",
                fix="evaluate the network on a GPU, or solve the electrons: sdgnn.TruncatedField takes any crystal",
            )
        return cls(boxes, np.dtype(str(dtype).removeprefix("torch.")))

    @cached_property
    def memory(self) -> list[np.ndarray]:
        """Working memory, one array for each thread, kept from call to call."""
        return []

    @property
    def n_directions(self) -> int:
        """Number of bond directions."""
        return len(self.boxes.crystal.order)

    def geometry(self) -> tuple[Any, ...]:
        """What the loops take: lattice harmonics, bonds and the places of a box."""
        crystal = self.boxes.crystal
        return (
            crystal.even.astype(self.dtype).ravel(),
            crystal.odd.astype(self.dtype).ravel(),
            crystal.present,
            self.boxes.shift,
            self.boxes.pitch,
            self.boxes.first,
            self.boxes.count,
        )

    @cached_property
    def idle(self) -> dict[int, list[np.ndarray]]:
        """Arrays that no call holds, by their number of rows: fresh memory costs more time than writing to it."""
        return {}

    def borrow(self, rows: int) -> np.ndarray:
        """(box, rows * STRIDE) finite numbers of any kind; to be given back when they are no longer needed."""
        idle = self.idle.setdefault(rows, [])
        return idle.pop() if idle else aligned_zeros((len(self.boxes), rows * STRIDE), self.dtype)

    def give_back(self, *arrays: np.ndarray) -> None:
        """Let other calls have them."""
        for array in arrays:
            self.idle[array.shape[1] // STRIDE].append(array)

    def each(self, kernel: Callable[[np.ndarray, int, int], Any], rows: int = 0) -> list[Any]:
        """Call ``kernel(scratch, first, last)`` on ranges of boxes, one for each of torch's threads.

        ``scratch`` has room for ``rows`` rows.
        """
        threads = min(torch.get_num_threads(), len(self.boxes))
        while len(self.memory) < threads or self.memory[threads - 1].size < rows * STRIDE:
            self.memory[:] = [aligned_zeros((max(rows, 1) * STRIDE,), self.dtype) for _ in range(threads)]
        edges = [len(self.boxes) * k // threads for k in range(threads + 1)]
        if threads == 1:
            return [kernel(self.memory[0], *edges)]
        return list(_pool(threads).map(kernel, self.memory[:threads], edges[:-1], edges[1:]))


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """Zeros that start with a cache line."""
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(size + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size].view(dtype).reshape(shape)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def rounds(
    boxed: Boxed,
    spins: Float[Tensor, "site 3"],
    smoothing: float,
    embedding: Float[Tensor, "4 function channel"],
    layers: Iterable[nn.Module],
) -> tuple[Iterable[Tensor], Float[Tensor, "site function"]]:
    """Time-even scalars without direction (site, channel) after every layer; bond functions summed at each site.

    Differentiable once in spins and weights.
    """
    channels = embedding.shape[-1]
    weights = [weight.contiguous() for layer in layers for weight in _in_order(cast(Interaction, layer))]
    first = _whole(embedding, -1).permute(2, 1, 0).contiguous()
    scalars, sums = _Rounds.apply(boxed, smoothing, channels, spins, first, *weights)
    return scalars[..., :channels], sums


def _whole(weight: Tensor, axis: int) -> Tensor:
    """Weights with channels, along one axis, that do nothing, up to a whole number of groups."""
    missing = -weight.shape[axis] % GROUP
    return nn.functional.pad(weight.movedim(axis, -1), (0, missing)).movedim(-1, axis) if missing else weight


def _in_order(layer: Interaction) -> tuple[Tensor, ...]:
    """A layer's weights in the order in which the loops read them: groups of channels of the products first."""
    channels = len(layer.gate)

    def factors(weight: Tensor) -> Tensor:
        """(..., input, factor and channel) to (..., group, input, channel of the group, factor)."""
        parts = _whole(weight.unflatten(-1, (3, channels)), -1).unflatten(-1, (-1, GROUP))
        return parts.movedim(-2, -4).transpose(-1, -2)

    out = _whole(_whole(layer.out.weight.unflatten(-2, (2, channels)), -2), -1).unflatten(-2, (-1, GROUP))
    gate = _whole(_whole(layer.gate, 0), 1)
    return (
        factors(_whole(layer.own.weight, -2)),
        factors(_whole(layer.message.weight, -2)),
        factors(layer.bond),
        out.permute(0, 1, 3, 5, 4, 2),
        gate.T,
        gate.detach(),
        _whole(layer.gate_bias, 0),
    )


@dataclass(frozen=True, eq=False)
class _Kept:
    """What the slopes need, given back when autograd forgets it."""

    boxed: Boxed
    spins: np.ndarray
    functions: np.ndarray
    features: list[np.ndarray]
    """Before the first and after every layer."""

    def __del__(self) -> None:
        self.boxed.give_back(self.spins, self.functions, *self.features)


class _Rounds(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, boxed: Boxed, smoothing: float, of_network: int, spins: Tensor, embedding: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        from sdgnn.nn.compiled import ends, layer, rows

        boxes = boxed.boxes
        channels, terms, _ = embedding.shape
        sizes = (channels, boxed.n_directions // 2, terms)
        width = 8 * boxed.n_directions * channels
        arrays = [_array(weight, boxed.dtype) for weight in (embedding, *weights)]
        geometry = (*boxed.geometry(), *sizes)
        share = 1 / (8 * boxed.n_directions * of_network)
        spins_at, functions, first = boxed.borrow(3), boxed.borrow(terms * boxed.n_directions), boxed.borrow(width)
        spins_at.reshape(len(boxes), 3, STRIDE)[:] = spins.detach().numpy()[boxes.site].transpose(0, 2, 1)
        boxed.each(
            lambda scratch, a, b: ends.forward(
                scratch, spins_at, functions, first, a, b, arrays[0], smoothing, *geometry
            ),
            ends.scratch_rows(boxed.n_directions),
        )
        features = [first]
        layers = len(weights) // LAYER_WEIGHTS
        for k in range(layers):
            boxed.each(lambda _, a, b: rows.fill_rims(features[-1], *boxes.rims, a, b))
            made, of_layer = boxed.borrow(width), arrays[1 + k * LAYER_WEIGHTS :][:LAYER_WEIGHTS]
            rest = (k == layers - 1, share, boxes.crystal.space, *geometry)
            part = partial(_forward, features[-1], functions, made, of_layer, rest)
            boxed.each(part, layer.scratch_rows(channels, boxed.n_directions))
            features.append(made)
        ctx.kept = _Kept(boxed, spins_at, functions, features)
        ctx.saved = (smoothing, arrays, geometry, sizes, share)
        ctx.shapes = [weight.shape for weight in (embedding, *weights)]
        per_site = [
            x.reshape(len(boxes), width, STRIDE)[:, :channels].transpose(0, 2, 1).reshape(-1, channels)[boxes.home]
            for x in features[1:]
        ]
        sums = functions.reshape(len(boxes), boxed.n_directions, terms, STRIDE).sum(1)
        sums = sums.transpose(0, 2, 1).reshape(-1, terms)[boxes.home]
        return torch.from_numpy(np.stack(per_site)), torch.from_numpy(sums)

    @staticmethod
    def backward(ctx: Any, to_scalars: Tensor, to_sums: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "second derivatives of a network on the CPU; take differences of its field, or a network on a GPU"
            )
        from sdgnn.nn.compiled import ends, layer, rows

        kept: _Kept = ctx.kept
        boxed, spins_at, functions, features = kept.boxed, kept.spins, kept.functions, kept.features
        smoothing, arrays, geometry, sizes, share = ctx.saved
        boxes = boxed.boxes
        channels = sizes[0]
        places = boxes.n_places
        width = 8 * boxed.n_directions * channels
        learn = any(ctx.needs_input_grad[4:])
        inside = boxes.inside.astype(boxed.dtype)
        slopes = [np.zeros(array.size) for array in arrays]

        def spread(values: Tensor, to: np.ndarray) -> None:
            """Add (site, number) to as many rows (box, number, STRIDE)."""
            box, place = np.divmod(boxes.home, STRIDE)
            to[box, :, place] += values.numpy()

        def learnt(kernel: Callable[..., Any], targets: list[np.ndarray], rows: int) -> None:
            """Run ``kernel(scratch, a, b, *slopes)`` and add what every thread finds for the weights."""

            def part(scratch: np.ndarray, a: int, b: int) -> list[np.ndarray]:
                found = [np.zeros_like(target) for target in targets]
                kernel(scratch, a, b, *found)
                return found

            for parts in boxed.each(part, rows):
                for target, found in zip(targets, parts, strict=True):
                    target += found

        to_functions, to_spins = boxed.borrow(sizes[2] * boxed.n_directions), boxed.borrow(3)
        slope, to_normal = boxed.borrow(width), boxed.borrow(width)
        slope[:], to_functions[:] = 0, 0
        of_directions = to_functions.reshape(len(boxes), boxed.n_directions, sizes[2], STRIDE)
        for d in range(boxed.n_directions):
            spread(to_sums, of_directions[:, d])
        for k in reversed(range(len(features) - 1)):
            spread(to_scalars[k], slope.reshape(len(boxes), width, STRIDE)[:, :channels])
            own = slice(1 + k * LAYER_WEIGHTS, 1 + (k + 1) * LAYER_WEIGHTS)
            learnt(
                lambda scratch, a, b, *found, k=k, own=own: layer.backward(
                    scratch, features[k], functions, features[k + 1], slope, to_normal, to_functions, a, b,
                    *arrays[own], k == len(features) - 2, share, learn, *found, boxes.crystal.space, *geometry,
                ),
                slopes[own],
                layer.scratch_rows(channels, boxed.n_directions),
            )  # fmt: skip
            boxed.each(lambda _, a, b: rows.add_rims(to_normal, *boxes.rims, a, b))
            boxed.each(partial(_finish, features[k], to_normal, slope, inside, (width, places, share)), 2)
        learnt(
            lambda scratch, a, b, found: ends.backward(
                scratch, spins_at, functions, slope, to_functions, to_spins, a, b, arrays[0], smoothing, learn, found,
                *geometry,
            ),
            slopes[:1],
            ends.scratch_rows(boxed.n_directions),
        )  # fmt: skip
        boxed.each(lambda _, a, b: rows.add_rims(to_spins, *boxes.rims, a, b))
        at_sites = to_spins.reshape(len(boxes), 3, STRIDE).transpose(0, 2, 1).reshape(-1, 3)[boxes.home]
        boxed.give_back(to_functions, to_spins, slope, to_normal)
        weights = [
            torch.from_numpy(slope).to(to_scalars.dtype).view(shape) if learn else None
            for slope, shape in zip(slopes, ctx.shapes, strict=True)
        ]
        return None, None, None, torch.from_numpy(at_sites), *weights


def _forward(given: Any, functions: Any, made: Any, weights: Any, rest: Any, scratch: Any, a: int, b: int) -> None:
    from sdgnn.nn.compiled import layer

    layer.forward(scratch, given, functions, made, a, b, *weights, *rest)


def _finish(given: Any, to_normal: Any, slope: Any, inside: Any, rest: Any, scratch: Any, a: int, b: int) -> None:
    from sdgnn.nn.compiled import layer

    layer.finish(scratch, given, to_normal, slope, inside, a, b, *rest)


def _array(weight: Tensor, dtype: np.dtype[Any]) -> np.ndarray:
    """The numbers in order."""
    return weight.detach().numpy().astype(dtype, copy=False).ravel()

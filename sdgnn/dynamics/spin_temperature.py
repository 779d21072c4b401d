"""The temperature that spins have by themselves, whatever their bath is set to."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.dynamics.integrators.equation import dot, unit
from sdgnn.dynamics.integrators.noise import Purpose, normal
from sdgnn.dynamics.state import State, evaluate
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.protocol import is_linear


def spin_temperature(field: Field, state: State, result: FieldResult) -> Float[Tensor, " replica"]:
    """k_B T of each replica's spins, in units of t, from the slope and the curvature of E on the spheres |S_i| = 1:

        kT = sum_i |S_i x H_i|^2 / L,        L = sum_i [ 2 S_i . H_i - tr_t (dH_i / dS_i) ]

    ========= =================================================================================
    S_i, H_i  spin and effective field -dE/dS_i
    tr_t      trace over the two directions transverse to S_i
    L         Laplacian of E on the spheres; <|grad E|^2> = kT <L> with Boltzmann's weight
    ========= =================================================================================

    Where E is linear in every single spin (exchange, DMI, an external field; ``linear``) the trace vanishes,
    which leaves the form of Nurdin and Schotte, kT = sum_i |S_i x H_i|^2 / (2 sum_i S_i . H_i). Anisotropy and
    electrons need the trace: their field turns with the spin, so that most of 2 S_i . H_i is no stiffness. It is
    estimated from one random tangent v of length sqrt(2) at every site,

        L = - d/dx [ sum_i H_i(S(x)) . dS_i/dx ]  at x = 0,    S(x) = S cos(sqrt(2) x) + (v / sqrt(2)) sin(sqrt(2) x),

    by a central difference, two evaluations of the field. Its mean over v is L up to the square of the difference; the
    statistical error falls as 1 / sqrt(sites), and the bias of the ratio that comes with it as 1 / sites. Out of
    equilibrium, or where L <= 0, as in states near a maximum of E, the number is no temperature.

    Sources: Nurdin and Schotte, Phys. Rev. E 61, 3579 (2000), doi:10.1103/PhysRevE.61.3579; the general form: Rugh,
    Phys. Rev. Lett. 78, 772 (1997), doi:10.1103/PhysRevLett.78.772.
    """
    vectors = result.field.to(state.spins)
    torque = torch.linalg.cross(state.spins, vectors)
    return dot(torque, torque).sum((1, 2)) / laplacian(field, state, result)


def laplacian(field: Field, state: State, result: FieldResult) -> Float[Tensor, " replica"]:
    """L of :func:`spin_temperature`: exact where E is linear in every spin, probed otherwise."""
    if is_linear(field):
        return 2 * dot(state.spins, result.field.to(state.spins)).sum((1, 2))
    return probed_laplacian(field, state)


def probed_laplacian(field: Field, state: State) -> Float[Tensor, " replica"]:
    """L of :func:`spin_temperature` from one tangent at each site, drawn from the state's seed, replicas and step,
    independent of the noise."""
    spins = state.spins
    sites = range(state.first_site, state.first_site + spins.shape[1])
    drawn = torch.from_numpy(normal(state.seed, state.streams, state.step, sites, Purpose.PROBE)).to(spins)
    tangent = unit(drawn - dot(drawn, spins) * spins)
    size = torch.finfo(spins.dtype).eps ** 0.25
    slopes = []
    for x in (-size, size):
        cosine, sine = math.cos(math.sqrt(2) * x), math.sin(math.sqrt(2) * x)
        vectors = evaluate(field, cosine * spins + sine * tangent, state).field
        slopes.append(dot(vectors, math.sqrt(2) * (cosine * tangent - sine * spins)).sum((1, 2)))
    return (slopes[0] - slopes[1]) / (2 * size)

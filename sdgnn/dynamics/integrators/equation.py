"""The Landau-Lifshitz-Gilbert equation: rotation vectors of spins, strength of the noise and exact rotations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.dynamics.integrators.settings import Form


def gyration(damping: Float[Tensor, "*batch"], form: Form) -> Float[Tensor, "*batch"]:
    """The factor g before the torques: 1 / (1 + alpha^2) in Gilbert's form, 1 in that of Landau and Lifshitz."""
    return 1 / (1 + damping**2) if form == "gilbert" else torch.ones_like(damping)


def rotation(
    spins: Float[Tensor, "replica site 3"],
    field: Float[Tensor, "replica site 3"],
    damping: Float[Tensor, "*batch"],
    form: Form = "gilbert",
) -> Float[Tensor, "replica site 3"]:
    """A of dS/dt = S x A, the equation of motion of every integrator here.

        A = - g [ H + alpha S x H ]     so that     dS/dt = - g [ S x H + alpha S x (S x H) ]

    ========= ============ ==================================================================
    symbol    argument     meaning
    ========= ============ ==================================================================
    S         ``spins``    (replica, site, 3) unit vectors
    H         ``field``    effective field -dE/dS, in units of t
    alpha     ``damping``  dimensionless, broadcast against (replica, site, 1)
    g         ``form``     1 / (1 + alpha^2) for "gilbert", 1 for "landau-lifshitz"
    ========= ============ ==================================================================

    In a field along +z a spin turns counter-clockwise about z, at the angular velocity g |H|. Times are in hbar / t.
    """
    turn = field + damping * torch.linalg.cross(spins, field)
    return -gyration(damping, form) * turn


def velocity(
    spins: Float[Tensor, "replica site 3"],
    field: Float[Tensor, "replica site 3"],
    damping: Float[Tensor, "*batch"],
    form: Form = "gilbert",
) -> Float[Tensor, "replica site 3"]:
    """dS/dt = S x A with A from :func:`rotation`."""
    return torch.linalg.cross(spins, rotation(spins, field, damping, form))


def noise_strength(
    damping: Float[Tensor, "*#batch"], kT: Float[Tensor, "*#batch"], form: Form = "gilbert"
) -> Float[Tensor, " ..."]:
    """D of the thermal field, <h_a(t) h_b(t')> = 2 D delta_ab delta(t - t'), for a bath at temperature kT.

    Derivation. The noise enters as dS = - g [S x h + alpha S x (S x h)]. In the plane transverse to S the two terms
    are perpendicular and of length |h_t| and alpha |h_t|, so that S diffuses on the sphere isotropically with the
    coefficient D g^2 (1 + alpha^2) (read in Stratonovich's sense, which keeps |S| = 1). The damping drifts S at the
    velocity g alpha H_t. The Fokker-Planck equation of the probability P(S) is therefore, with the gradient on the
    sphere,

        dP/dt = - div [ (precession) P + g alpha H_t P - D g^2 (1 + alpha^2) grad P ].

    Precession is tangent to surfaces of equal energy and free of divergence, so it leaves P = exp(-E / kT) / Z alone.
    The rest of the current vanishes for this P when g alpha H_t = D g^2 (1 + alpha^2) H_t / kT (grad P = P H_t / kT):

        D = alpha kT / [ g (1 + alpha^2) ]
          = alpha kT                     Gilbert,            g = 1 / (1 + alpha^2)
          = alpha kT / (1 + alpha^2)     Landau-Lifshitz,    g = 1

    Source: Garcia-Palacios and Lazaro, Phys. Rev. B 58, 14937 (1998), doi:10.1103/PhysRevB.58.14937.
    """
    return damping * kT / (gyration(damping, form) * (1 + damping**2))


def diffusion(
    damping: Float[Tensor, "*#batch"], kT: Float[Tensor, "*#batch"], form: Form = "gilbert"
) -> Float[Tensor, ...]:
    """Coefficient of the diffusion of a spin on its sphere in a bath, D g^2 (1 + alpha^2) = g alpha kT, in t / hbar.

    Without a field <S(t) . S(0)> = exp(-2 g alpha kT t); D is that of :func:`noise_strength`.
    """
    return noise_strength(damping, kT, form) * gyration(damping, form) ** 2 * (1 + damping**2)


def transverse(
    field: Float[Tensor, "replica site 3"], spins: Float[Tensor, "replica site 3"]
) -> Float[Tensor, "replica site 3"]:
    """The part of the field that moves spins, H - (H . S) S / S^2; spins need not have unit length."""
    return field - dot(field, spins) / dot(spins, spins) * spins


def cayley(
    spins: Float[Tensor, "replica site 3"], angle: Float[Tensor, "replica site 3"]
) -> Float[Tensor, "replica site 3"]:
    """S' of S' = S + (S + S')/2 x a, in closed form: a rotation about a by 2 arctan(|a|/2), which keeps |S|.

    S' = [ (1 - a^2/4) S + S x a + (a . S) a / 2 ] / (1 + a^2/4), with a = ``angle`` = A dt.
    """
    quarter = dot(angle, angle) / 4
    turned = (1 - quarter) * spins + torch.linalg.cross(spins, angle) + dot(angle, spins) * angle / 2
    return turned / (1 + quarter)


def turned(
    spins: Float[Tensor, "replica site 3"], angle: Float[Tensor, "replica site 3"]
) -> Float[Tensor, "replica site 3"]:
    """R[a] S, the rotation about a = ``angle`` by |a|: cos|a| S + (sin|a| / |a|) a x S + (1 - cos|a|) (n . S) n.

    n is a / |a|. The two factors have the limits 1 and 1/2 (times |a|^2) at a = 0.
    """
    length = dot(angle, angle).sqrt()
    sine = torch.sinc(length / torch.pi)
    half = torch.sinc(length / (2 * torch.pi)) ** 2 / 2
    return torch.cos(length) * spins + sine * torch.linalg.cross(angle, spins) + half * dot(angle, spins) * angle


def dot(a: Float[Tensor, "replica site 3"], b: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site 1"]:
    """a . b at every site, summed in one fixed order whatever the batch."""
    product = a * b
    return product[..., 0:1] + product[..., 1:2] + product[..., 2:3]


def unit(vectors: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site 3"]:
    """Vectors divided by their length."""
    return vectors / dot(vectors, vectors).sqrt()

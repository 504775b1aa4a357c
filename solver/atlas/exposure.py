"""How bright each picture is, and how the room's light falls: both are taken out before pictures are joined.

With I the colour of vertex v in view i, log I = log a_v + g_i + s . (B(n_iv) - B(n_0)): an albedo for each vertex, an
exposure for each view, and light that stays where it is while the person turns: spherical harmonics to the second
degree of the normal in frame c (Ramamoorthi and Hanrahan 2001), those that vary about the vertical. Of light from above
a turn about the vertical tells nothing: it stays in the albedo. n_0 looks into the camera: what is seen square on keeps
its brightness. The albedos are eliminated by taking the mean of every vertex over its views out of all columns;
exposures average to nothing. Red, green and blue are solved apart: white balance is an exposure too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solver.alignment import solved

TERMS = 4
"""Harmonics of light."""
DARKEST, BRIGHTEST = 12.0, 248.0
"""Colours outside, of 255, say nothing about exposure: noise or clipped."""
LEAST_VIEWS = 2
EVERY = 5
"""Of the vertices every so many take part."""
SPREAD = 0.08
"""Residuals of the logarithm beyond this count less and less (Cauchy): highlights, hems, shadows."""
EXPOSURE_STD, LIGHT_STD = 0.3, 0.5
"""How far from nothing exposures and light are thought to be (natural logarithms)."""
ROUNDS = 4
MOST = 0.5
"""Largest correction of a place (natural logarithm)."""


def harmonics(normals: NDArray) -> NDArray[np.float32]:
    """Harmonics without factors, (..., 4), of `normals` (..., 3), less those of the normal that faces the camera."""
    x, z = normals[..., 0], normals[..., 2]
    return np.stack([x, z + 1.0, x * z, x * x - z * z + 1.0], -1).astype(np.float32)


def solve_exposure(
    colors: NDArray[np.float32], quality: NDArray[np.float32], normals: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Exposures (N, 3) and light (4, 3), natural logarithms, of N views.

    `colors` (N, V, 3) 0..255 as seen at the vertices, `quality` (N, V) 0 where a vertex is not seen, `normals`
    (N, V, 3) in frame c.
    """
    count = len(colors)
    chosen = slice(None, None, EVERY)
    color, weight = colors[:, chosen], np.minimum(quality[:, chosen], 1.0)
    usable = (weight > 0.0) & (color.min(-1) > DARKEST) & (color.max(-1) < BRIGHTEST)
    usable &= usable.sum(0) >= LEAST_VIEWS
    view, vertex = np.nonzero(usable)
    exposures, light = np.zeros((count, 3), np.float32), np.zeros((TERMS, 3), np.float32)
    if not len(view):
        return exposures, light
    rows = np.arange(len(view))
    basis = harmonics(normals[:, chosen][view, vertex]).astype(np.float64)
    entries = np.concatenate([np.ones((len(view), 1)), basis], 1).ravel()
    columns = np.concatenate([view[:, None], np.broadcast_to(count + np.arange(TERMS), (len(view), TERMS))], 1)
    # Sparse throughout: a dense product of this size wakes OpenBLAS's threads, which then wait for busy cores.
    design = sparse.csr_array((entries, columns.ravel(), (1 + TERMS) * np.arange(len(view) + 1)))
    seen = np.log(color[view, vertex].astype(np.float64))
    base = weight[view, vertex].astype(np.float64)
    prior = np.concatenate([np.full(count, EXPOSURE_STD**-2), np.full(TERMS, LIGHT_STD**-2)])
    # The scale of the prior is that of one residual of weight 1.
    prior = np.diag(prior * SPREAD**2 * base.mean())
    for channel in range(3):
        trust, solution = base, np.zeros(count + TERMS)
        for _ in range(ROUNDS):
            by_vertex = sparse.csr_array((trust, (vertex, rows)), (color.shape[1], len(view)))
            mass = np.maximum(by_vertex.sum(1), 1e-12)
            sums, target = by_vertex @ design, by_vertex @ seen[:, channel]
            weighted = sparse.diags_array(trust) @ design
            gram = (weighted.T @ design - sums.T @ (sparse.diags_array(1.0 / mass) @ sums)).toarray()
            right = weighted.T @ seen[:, channel] - sums.T @ (target / mass)
            solution = solved(gram + prior, right[:, None])[:, 0]
            residual = seen[:, channel] - design @ solution
            residual -= (by_vertex @ residual / mass)[vertex]
            trust = base / (1.0 + np.square(residual / SPREAD))
        exposures[:, channel] = solution[:count] - solution[:count].mean()
        light[:, channel] = solution[count:]
    return exposures, light


def correction(
    exposures: NDArray[np.float32], light: NDArray[np.float32], normals: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What colours are multiplied with, (N, V, 3), so that all views show the vertices alike; `normals` (N, V, 3)."""
    wanted = -(exposures[:, None] + np.einsum("nvk,kc->nvc", harmonics(normals), light))
    return np.exp(np.clip(wanted, -MOST, MOST))

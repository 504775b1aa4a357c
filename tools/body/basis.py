"""From sampled bodies to a compact linear model: principal components, head components, joint regressor, its errors.

Every body is counted with its mirror image, so components are exactly symmetric or exactly antisymmetric: the two
kinds are found apart, in half the size each, and sorted together by variance. The body's covariance is the sample's
plus a generic one (`tools.body.variation`), so that the space also holds bodies the sample does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial import cKDTree

CANDIDATES = 250
LEAST_SHARE = 0.25
"""Of a component's variance that is taken for the sample's at least: what the sample barely shows stays in reach."""
MIRROR = np.array([-1.0, 1.0, 1.0], np.float32)


@dataclass(frozen=True)
class Basis:
    """A linear space of displacements: template + coefficients . components, in standard deviations of the sample."""

    template: NDArray[np.float32]
    """[m], shape (V, 3)."""
    components: NDArray[np.float32]
    """[m] per standard deviation, shape (K, V, 3)."""
    weights: NDArray[np.float32]
    """How much each vertex counts in a fit, shape (V,)."""

    def fit(self, bodies: NDArray, ridge: float = 1e-6) -> NDArray:
        """Weighted least-squares coefficients of bodies (N, V, 3), shape (N, K)."""
        root = np.sqrt(self.weights)[:, None]
        design = (self.components * root).reshape(len(self.components), -1).astype(np.float64)
        offsets = ((bodies - self.template) * root).reshape(len(bodies), -1)
        normal = design @ design.T
        normal += ridge * np.trace(normal) / len(normal) * np.eye(len(normal))
        return np.linalg.solve(normal, design @ offsets.T.astype(np.float64)).T

    def shape(self, coefficients: NDArray) -> NDArray[np.float32]:
        """Bodies (N, V, 3) of coefficients (N, K)."""
        flat = self.components.reshape(len(self.components), -1)
        offsets = coefficients.astype(np.float32) @ flat
        return (self.template + offsets.reshape(len(coefficients), *self.template.shape)).astype(np.float32)


def principal_components(
    bodies: NDArray, mirror: NDArray, weights: NDArray, count: int, variation: NDArray | None = None
) -> Basis:
    """The `count` strongest components of bodies (N, V, 3) and their mirror images. Components are kept as float16.

    `variation` (G, V, 3) widens the sample's covariance: independent displacements of one standard deviation each. It
    has a say in which components are kept; their scale is one standard deviation of the sample alone.
    """
    even, odd = _even_and_odd(bodies, mirror)
    template = even.mean(0)
    even -= template
    kinds = [kind / np.sqrt(np.float32(len(bodies))) for kind in (even, odd)]
    if variation is not None:
        kinds = [np.concatenate(pair) for pair in zip(kinds, _even_and_odd(variation, mirror), strict=True)]
    root = np.sqrt(weights)[:, None]
    found = []
    for kind in kinds:
        seen = (kind * root).reshape(len(kind), -1)
        variances, scores = np.linalg.eigh((seen @ seen.T).astype(np.float64))
        found += [(variances[i], scores[:, i], kind) for i in np.argsort(-variances)[:count]]
    kept = []
    for variance, score, kind in sorted(found, key=lambda item: -item[0])[:count]:
        share = max(np.sum(score[: len(bodies)] ** 2), LEAST_SHARE)
        kept.append((variance * share, np.sqrt(share) * score, kind))
    kept.sort(key=lambda item: -item[0])
    components = np.empty((count, *template.shape), np.float32)
    for k, (_, score, kind) in enumerate(kept):
        component = np.tensordot(score.astype(np.float32), kind, 1)
        largest = np.argmax(np.abs(component))
        components[k] = component * np.sign(component.reshape(-1)[largest])
    components = components.astype(np.float16).astype(np.float32)
    return Basis(template.astype(np.float32), components, weights.astype(np.float32))


def symmetric_mean(bodies: NDArray, mirror: NDArray) -> NDArray:
    """Mean of bodies (N, V, 3) and their mirror images, shape (V, 3)."""
    mean = bodies.mean(0, dtype=np.float64)
    return (mean + mean[mirror] * MIRROR) / 2


def _even_and_odd(bodies: NDArray, mirror: NDArray) -> tuple[NDArray, NDArray]:
    flipped = bodies[:, mirror] * MIRROR
    return (bodies + flipped) / 2, (bodies - flipped) / 2


def vertex_weights(template: NDArray, faces: NDArray) -> NDArray[np.float32]:
    """Root of the area round each vertex, mean 1: between counting vertices (all face) and counting skin (no face)."""
    corners = template[faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6.0
    own = np.bincount(faces.reshape(-1), np.repeat(areas, 3), len(template))
    root = np.sqrt(np.maximum(own, 1e-8))
    return (root / root.mean()).astype(np.float32)


def errors(bodies: NDArray, approximations: NDArray, areas: NDArray | None = None) -> dict[str, float]:
    """Distances between vertices of bodies and approximations (N, V, 3) in millimetres."""
    distance = 1000.0 * np.linalg.norm(bodies - approximations, axis=2)
    per_body = np.sqrt((distance**2).mean(1))
    worst = distance.max(1)
    result = {
        "rms_mm": float(np.sqrt((distance**2).mean())),
        "worst_body_rms_mm": float(per_body.max()),
        "median_worst_vertex_mm": float(np.median(worst)),
        "p95_worst_vertex_mm": float(np.percentile(worst, 95)),
        "p95_vertex_mm": float(np.percentile(distance, 95)),
    }
    if areas is not None:
        result["area_weighted_rms_mm"] = float(np.sqrt((distance**2 @ areas / areas.sum()).mean()))
    return result


def regress_joints(
    bodies: NDArray, joints: NDArray, candidates: NDArray, count: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each joint as a convex combination of `count` vertices: indices and weights, both of shape (J, count).

    bodies (N, V, 3), joints (N, J, 3); `candidates` are the vertices that may serve. Non-negative least squares
    (Lawson and Hanson 1974) with the sum of the weights held to 1.
    """
    tree = cKDTree(bodies.mean(0)[candidates])
    indices = np.zeros((joints.shape[1], count), np.int32)
    weights = np.zeros((joints.shape[1], count), np.float32)
    for j in range(joints.shape[1]):
        # Vertices all round the joint, or the inside of the trunk could not be reached.
        middle = joints[:, j].mean(0)
        reach = 4.0 * tree.query(middle)[0] + 0.02
        near = candidates[np.sort(tree.query_ball_point(middle, reach))]
        near = near[:: max(1, len(near) // CANDIDATES)]
        # One row of large weight makes the weights sum to one, so that the regressor moves with the body.
        system = np.vstack([bodies[:, near].transpose(0, 2, 1).reshape(-1, len(near)), np.full(len(near), 1e3)])
        target = np.append(joints[:, j].reshape(-1), 1e3)
        first = nnls(system, target)[0]
        kept = np.sort(np.argsort(-first)[:count])
        solution = nnls(system[:, kept], target)[0]
        indices[j], weights[j] = near[kept], solution / solution.sum()
    return indices, weights


def regressed_joints(bodies: NDArray, indices: NDArray, weights: NDArray) -> NDArray:
    """Joints (N, J, 3) of bodies (N, V, 3) by the regressor."""
    return np.einsum("njrd,jr->njd", bodies[:, indices], weights)

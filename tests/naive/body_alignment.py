"""Slow and obvious twins of solver.kernels.body_alignment: blend by the book, differentiate by differences."""

from __future__ import annotations

import numpy as np

from solver.alignment import BodyAlignment
from solver.body import joint_transforms, shape_body


def posed_points(model, state, corners, barycentric):
    """Positions of barycentric points whose corners are vertices or, from index V on, joints."""
    body = shape_body(model, state.shape)
    transforms = joint_transforms(model, body.joints, state.pose, state.T_wb)
    out = []
    for triangle, weights in zip(corners, barycentric, strict=True):
        point = np.zeros(3)
        for corner, weight in zip(triangle, weights, strict=True):
            if corner >= model.vertex_count:
                j = corner - model.vertex_count
                point += weight * (transforms[j] @ np.append(body.joints[j], 1.0))[:3]
            else:
                for j, w in zip(model.skin_joints[corner], model.skin_weights[corner], strict=True):
                    point += weight * w * (transforms[j] @ np.append(body.vertices[corner], 1.0))[:3]
        out.append(point)
    return np.array(out)


def jacobian_by_differences(alignment: BodyAlignment, corners, barycentric, directions, step=1e-4):
    """Central differences of direction . v along every parameter."""
    columns = []
    for m in range(alignment.parameter_count):
        increment = np.zeros(alignment.parameter_count)
        increment[m] = step
        ahead = posed_points(alignment.model, alignment.moved(increment), corners, barycentric)
        behind = posed_points(alignment.model, alignment.moved(-increment), corners, barycentric)
        columns.append(np.einsum("ni,ni->n", directions, ahead - behind) / (2.0 * step))
    return np.stack(columns, 1)


def normal_equations(jacobian, residuals, weights):
    """J^T W J and J^T W r."""
    return jacobian.T @ (weights[:, None] * jacobian), jacobian.T @ (weights * residuals)

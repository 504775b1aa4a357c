"""The obvious way: weights as a full row over all joints, matrices inverted one by one."""

import numpy as np


def blended_row(corners, shares, skin_joints, skin_weights, joint_count):
    row = np.zeros(joint_count)
    for corner, share in zip(corners, shares, strict=True):
        np.add.at(row, skin_joints[corner], share * skin_weights[corner])
    small = np.argsort(-row)[4:]
    row[small] = 0.0
    return row / row.sum()


def unskinned(point, row, transforms):
    matrix = np.eye(4)
    matrix[:3] = np.tensordot(row, transforms, 1)
    return (np.linalg.inv(matrix) @ np.append(point, 1.0))[:3]

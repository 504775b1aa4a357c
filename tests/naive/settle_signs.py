"""The slow obvious twin of solver/kernels/settle_signs.py, on a dense array."""

import itertools

import numpy as np


def settled(distance, voxel_m):
    """`distance` (X, Y, Z), NaN where unknown, with one sign wherever no surface can lie between neighbours."""
    label = {tuple(place): n for n, place in enumerate(np.argwhere(np.isfinite(distance)))}
    changed = True
    while changed:
        changed = False
        for place in label:
            for step in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
                other = tuple(np.add(place, step))
                if other in label and abs(distance[place]) + abs(distance[other]) > 1.01 * voxel_m:
                    least = min(label[place], label[other])
                    changed |= label[place] != label[other]
                    label[place] = label[other] = least
    result = distance.copy()
    places = sorted(label, key=label.get)
    for _, group in itertools.groupby(places, key=label.get):
        members = list(group)
        inside = sum(distance[p] < 0.0 for p in members)
        for p in members:
            result[p] = -abs(distance[p]) if 2 * inside > len(members) else abs(distance[p])
    return result

"""Which skin lies under cloth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

REACH = 0.035
"""Cloth further off than this touches no skin soon [m]."""
MARGIN = 0.030
"""Skin this near a free edge may be seen from aside and stays [m]."""
GIVE = 0.010
"""How far hidden skin gives way [m]."""
RINGS = 3
"""Of triangles about what is hidden that are drawn all the same: until the next look cloth may slide."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A garment as it lies over skin."""

    particles: NDArray[np.float32]
    """[m], (P, 3)."""
    edge: NDArray[np.float32]
    """Each particle's distance to the garment's nearest free edge [m], (P,)."""


class Covering:
    """How far to draw each skin vertex below its surface: 0 where bare, up to GIVE under cloth.

    It is found in parts, of skin and cloth as they stood when it was begun, so that no picture has to wait for all of
    it.
    """

    def __init__(
        self, skin: NDArray[np.float32], skin_normals: NDArray[np.float32], layers: Sequence[Layer], parts: int = 1
    ) -> None:
        """`skin` (V, 3) [m] and its unit normals (V, 3)."""
        self._skin, self._normals = skin.copy(), skin_normals.copy()
        self._layers = [Layer(layer.particles.copy(), layer.edge) for layer in layers]
        self._trees: list[cKDTree] = []
        self._parts = [np.arange(first, len(skin), parts) for first in range(parts)]
        self.depth = np.zeros(len(skin), np.float32)
        """[m], (V,); 0 where it is not yet known."""

    def go_on(self) -> bool:
        """Finds the next part; True once all is known."""
        if len(self._trees) < len(self._layers):
            self._trees.append(cKDTree(self._layers[len(self._trees)].particles, balanced_tree=False))
            return False
        part = self._parts.pop()
        skin, normals = self._skin[part], self._normals[part]
        for layer, tree in zip(self._layers, self._trees, strict=True):
            distance, nearest = tree.query(skin, distance_upper_bound=REACH)
            found = np.isfinite(distance)
            cloth = nearest[found]
            over = ((layer.particles[cloth] - skin[found]) * normals[found]).sum(1) > -GIVE
            inner = np.clip((layer.edge[cloth] - 0.5 * MARGIN) / (0.5 * MARGIN), 0.0, 1.0)
            close = np.clip((REACH - distance[found]) / (0.4 * REACH), 0.0, 1.0)
            self.depth[part[found]] = np.maximum(self.depth[part[found]], GIVE * over * inner * close)
        return not self._parts


def hidden_depth(
    skin: NDArray[np.float32], skin_normals: NDArray[np.float32], layers: Sequence[Layer]
) -> NDArray[np.float32]:
    """All of a `Covering` [m], (V,)."""
    covering = Covering(skin, skin_normals, layers)
    while not covering.go_on():
        pass
    return covering.depth


def out_of_sight(depth: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which skin vertices lie so deep under cloth that nothing of them can be seen soon, (V,).

    `depth` (V,) [m] is that of `Covering`, `faces` (F, 3) the skin's triangles.
    """
    covered = depth >= 0.999 * GIVE
    for _ in range(RINGS):
        edge = ~covered[faces].all(1)
        covered[faces[edge]] = False
    return covered

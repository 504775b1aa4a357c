"""Pictures of a body from around it, with the cameras that saw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from game.export.report import View
from game.view.stage import Stage

SIDES = (("Front", 0.0), ("Side", np.pi / 2), ("Back", np.pi))
MARGIN = 1.17
"""Air around the figure: the report cuts its panels out of these pictures."""
FIELD_OF_VIEW = np.deg2rad(14.0)
"""A long lens from far away: the figure's proportions are nearly those of a drawing."""


def portraits(stage: Stage, vertices: NDArray[np.float32]) -> list[View]:
    """The body on the stage, `vertices` [m], (V, 3), frame w, from front, side and back at one scale and distance.

    The studio is set up anew for each side, so that the light is the same in all, and is left as for the last.
    """
    center = (vertices[:, :2].min(0) + vertices[:, :2].max(0)) / 2
    reach = np.linalg.norm(vertices[:, :2] - center, axis=1).max()
    span = np.array([[-reach, -reach, 0.0], [reach, reach, vertices[:, 2].max()]]) + np.append(center, 0.0)
    views = []
    for title, azimuth in SIDES:
        stage.place_studio(center, azimuth)
        stage.camera.frame_body(span.astype(np.float32), azimuth, MARGIN, FIELD_OF_VIEW)
        views.append(View(title, stage.render(), stage.camera.intrinsics, stage.camera.T_wc))
    return views

"""What is known of a shopper at a moment of their visit, as canaries to look for once they have left."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks._canaries import Canaries
from game.protocol.snapshot import Shopper, Snapshot
from solver.types import Frame, Observation

ROWS = 8
"""Of a picture, from which canaries are taken."""


def remember(
    canaries: Canaries, snapshot: Snapshot, observation: Observation | None, drawn: Frame | None = None
) -> None:
    """Canaries of everything that `snapshot` tells, of what the landmarker said last, and of the picture that the
    driver holds."""
    if snapshot.shopper is not None:
        remember_shopper(canaries, snapshot.shopper)
    if snapshot.dressed is not None:
        canaries.add("posed body", snapshot.dressed.body)
        for _, particles in snapshot.dressed.garments:
            canaries.add("garment", particles)
    if snapshot.scan is not None and snapshot.scan.surface is not None:
        canaries.add("growing surface", snapshot.scan.surface.vertices)
    moment = snapshot.camera
    if moment is not None:
        if moment.body is not None:
            canaries.add("pose", moment.body.pose)
            canaries.add("tracked body", moment.body.vertices)
            canaries.add("tracked shape", moment.body.shape)
        remember_frame(canaries, moment.frame, moment.person)
    if drawn is not None and drawn.color is not None:
        # As the engine and the driver hold the picture that was seen last as in a mirror.
        middle = drawn.color.shape[0] // 2
        pixels = cv2.cvtColor(drawn.color[middle - 120 : middle + 120 : 20], cv2.COLOR_RGB2BGRA)
        for row in pixels:
            canaries.add("camera colour in the driver", row, 2)
        pixels[...] = 0
    if observation is not None and observation.landmarks is not None:
        canaries.add("landmarks", observation.landmarks.image, 2)
        canaries.add("landmarks in space", observation.landmarks.world, 2)
        # As MediaPipe itself holds them, with other numbers between.
        canaries.add_points("landmark", observation.landmarks.world)
    if observation is not None and observation.mask is not None:
        canaries.add("mask", observation.mask)


def remember_shopper(canaries: Canaries, shopper: Shopper) -> None:
    """The scanned body."""
    canaries.add("canonical body", shopper.canonical)
    canaries.add("body at rest", shopper.rest.vertices)
    canaries.add("joints at rest", shopper.rest.joints)
    canaries.add("shape", shopper.shape)
    canaries.add("body colours", shopper.paint.color)
    canaries.add("surface of the body's paint", shopper.paint.surface)
    if shopper.scan is not None:
        canaries.add("scanned colours", np.ascontiguousarray(shopper.scan.reconstruction.vertex_colors))
    if shopper.paint.picture is not None:
        canaries.add("atlas", shopper.paint.picture.color)
        canaries.add("atlas in the driver", cv2.cvtColor(shopper.paint.picture.color, cv2.COLOR_RGB2BGRA))


def remember_frame(canaries: Canaries, frame: Frame, person: np.ndarray | None) -> None:
    """The rows of the picture in which the `person` (H, W) is; without one, rows of its middle."""
    if frame.color is None or frame.depth is None:
        return
    height, width = frame.depth.shape
    if person is None:
        spans = [(row, slice(width // 3, 2 * width // 3)) for row in np.linspace(0.3, 0.7, ROWS) * height]
    else:
        rows, columns = np.nonzero(person)
        if len(rows) == 0:
            return
        spans = []
        for row in np.linspace(rows.min() + 5, rows.max() - 5, ROWS).astype(int):
            over = columns[rows == row]
            if len(over) >= 24:
                spans.append((row, slice(over.min(), over.max() + 1)))
    for row, span in spans:
        canaries.add("camera colour", frame.color[int(row), span], 1)
        canaries.add("camera depth", frame.depth[int(row), span], 1)

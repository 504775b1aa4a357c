"""What is drawn anew and what stays: cells, triangles' order, far sides."""

import numpy as np
import pytest

from game.view.cells import CELL, Cells, grid_of, runs
from game.view.context import NoGraphicsError
from game.view.display import Display
from game.view.drawing_order import drawing_order
from game.view.interface.canvas import Layer, Plate, Rect
from game.view.model import far_side
from solver.kernels.visible_parts import keep_seen_faces, mark_cells
from tests.naive import visible_parts as naive

SIZE = (270, 480)


@pytest.fixture(scope="module")
def display():
    try:
        display = Display(SIZE, headless=True)
    except NoGraphicsError as error:
        pytest.skip(f"no OpenGL here: {error}")
    yield display
    display.close()


def test_drawing_order_keeps_every_triangle_and_numbers_by_first_use():
    rng = np.random.default_rng(0)
    places = rng.random((200, 3), np.float32)
    faces = rng.integers(0, 180, (300, 3)).astype(np.int32)
    used, ordered = drawing_order(faces, places)
    back = used[ordered]
    assert sorted(map(tuple, back)) == sorted(map(tuple, faces))
    first = np.unique(ordered.ravel(), return_index=True)[1]
    assert np.all(np.diff(first) > 0)


def test_runs_are_the_marked_cells():
    rng = np.random.default_rng(1)
    cells = rng.random((9, 7)) < 0.5
    again = np.zeros_like(cells)
    for row, first, last in runs(cells):
        assert first == 0 or not cells[row, first - 1]
        again[row, first:last] = True
    assert np.array_equal(again, cells)


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_mark_their_cells(display, mirrored):
    camera = display.stage.camera
    camera.look_at((0.0, -3.0, 1.2), (0.0, 0.0, 1.0))
    points = np.random.default_rng(2).uniform((-0.6, -0.3, 0.4), (0.6, 0.3, 1.6), (50, 3)).astype(np.float32)
    cells = Cells(SIZE, mirrored)
    cells.mark_points(camera, points)
    marked = cells.marked()
    assert marked.shape == grid_of(SIZE)
    pixels = camera.project(points)
    x = SIZE[0] - 1 - pixels[:, 0] if mirrored else pixels[:, 0]
    inside = (x >= 0) & (x < SIZE[0]) & (pixels[:, 1] >= 0) & (pixels[:, 1] < SIZE[1])
    assert inside.any()
    assert marked[(pixels[inside, 1] // CELL).astype(int), (x[inside] // CELL).astype(int)].all()
    assert not marked.all()


@pytest.mark.parametrize("mirrored_width", [0, 270])
def test_cells_are_those_of_the_slow_way(mirrored_width):
    rng = np.random.default_rng(4)
    R_wc = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32)
    t_wc, focal, middle = (rng.normal(size=n).astype(np.float32) for n in (3, 2, 2))
    focal, middle = focal + np.float32(300.0), middle + np.float32(130.0)
    points = (rng.normal(size=(400, 3)) + 3.0 * R_wc[:, 2]).astype(np.float32)
    marked = np.zeros((60, 34), np.uint8)
    mark_cells(points, R_wc, t_wc, focal, middle, mirrored_width, 8, marked)
    expected = naive.mark_cells(points, R_wc, t_wc, focal, middle, mirrored_width, 8, marked.shape)
    # A point on a square's edge may fall to either side.
    assert np.count_nonzero(marked.astype(bool) != expected) <= 2
    assert 20 < expected.sum() < expected.size


def test_triangles_without_a_seen_corner_are_left_out():
    rng = np.random.default_rng(5)
    source = rng.integers(0, 50, 80).astype(np.int32)
    faces = rng.integers(0, 80, (200, 3)).astype(np.int32)
    unseen = rng.random(50) < 0.7
    kept = np.empty(faces.shape, np.uint16)
    count = keep_seen_faces(faces, source, unseen, kept)
    assert np.array_equal(kept[:count], naive.seen_faces(faces, source, unseen))
    assert 0 < count < len(faces)
    assert keep_seen_faces(faces, source, np.ones(50, bool), kept) == 0


def test_the_far_side_of_a_sphere_is_behind_its_rim():
    normals = np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    away = far_side(normals, normals, np.array([0.0, -4.0, 0.0]))
    assert away.any()
    # Seen from four radii off the rim lies where y = -1/4.
    assert (normals[away, 1] > -0.25).all()


def test_what_is_laid_over_anew_is_as_if_all_were(display):
    """A plate comes, moves and goes: the picture kept is the picture drawn from nothing."""
    layer = Layer(display.canvas)
    plate = Plate(layer, Rect(40, 60, 120, 80), (0.8, 0.1, 0.1, 0.7), 20)
    for place in (Rect(40, 60, 120, 80), Rect(300, 500, 150, 90), Rect(310, 520, 20, 20)):
        plate.place(place)
        kept = display.draw(read=True)
        display.pipeline._stale[:] = True
        anew = display.draw(read=True)
        assert np.array_equal(kept, anew)
    with_plate = kept
    layer.remove()
    assert not np.array_equal(display.draw(read=True), with_plate)

"""Pictures of a visit: what the camera sees with the followed body over it, what the mirror shows."""

import numpy as np
import pytest
import trimesh

from game.export.pictures import GLOW, CameraPicture, cover, mirror_picture
from solver.types import BodyState, Ground, Intrinsics

SIZE = (270, 480)
CAMERA = Intrinsics(160, 120, 130.0, 130.0, 79.5, 59.5)
BALL = trimesh.creation.icosphere(3, 0.4)
FACES = BALL.faces.astype(np.int32)


def ground_and_ball(x=0.0):
    """A ball 2.5 m ahead of a camera 1 m above the floor, `x` [m] to its right."""
    T_wc = np.eye(4)
    T_wc[:3, :3] = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]
    T_wc[2, 3] = 1.0
    vertices = (BALL.vertices + np.array([x, 2.5, 1.0])).astype(np.float32)
    state = BodyState(0, 0.0, np.zeros(1), np.zeros((1, 3)), np.eye(4), vertices, 1.0)
    return Ground(T_wc, 0.0, 1.0), state


def drawn(color=None, state=None, ground=None, share=0.0, title="", caption=""):
    color = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8) if color is None else color
    return CameraPicture(FACES, len(BALL.vertices), CAMERA, SIZE).draw(color, state, ground, share, title, caption)


def glowing(picture):
    """Pixels of the glow's own colour."""
    return np.abs(picture.astype(int) - GLOW).sum(2) < 30


@pytest.mark.parametrize("size", [(270, 480), (480, 270), (100, 100)])
@pytest.mark.parametrize("shape", [(120, 160), (1280, 720), (50, 50)])
def test_cover_fills_the_size_and_keeps_the_middle(size, shape):
    picture = np.zeros((*shape, 3), np.uint8)
    middle = shape[0] // 2, shape[1] // 2
    radius = min(shape) // 4
    picture[middle[0] - radius : middle[0] + radius, middle[1] - radius : middle[1] + radius] = 200
    covered = cover(picture, size)
    assert covered.shape == (size[1], size[0], 3)
    assert covered.dtype == np.uint8
    assert covered.flags.c_contiguous
    rows, columns = np.nonzero(covered[..., 0] > 100)
    assert rows.mean() == pytest.approx((size[1] - 1) / 2, abs=2.0)
    assert columns.mean() == pytest.approx((size[0] - 1) / 2, abs=2.0)
    # A square stays one, scaled as much as it takes to leave no margin.
    scale = max(size[0] / shape[1], size[1] / shape[0])
    assert np.ptp(rows) + 1 == pytest.approx(2 * radius * scale, abs=3.0)
    assert np.ptp(columns) + 1 == pytest.approx(2 * radius * scale, abs=3.0)


def test_the_camera_is_a_mirror():
    color = np.zeros((120, 160, 3), np.uint8)
    color[:, 90:] = 200
    picture = drawn(color)
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert picture.dtype == np.uint8
    row = picture[SIZE[1] // 2, :, 0]
    assert row[20] == 200
    assert row[-20] == 0


def test_the_ring_fills_clockwise_as_the_person_turns():
    ring = np.s_[round(0.82 * SIZE[1]) : round(0.92 * SIZE[1])]
    middle = SIZE[0] // 2
    left, right = [], []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0, 1.3):
        pixels = glowing(drawn(share=share)[ring])
        left.append(int(pixels[:, : middle - 3].sum()))
        right.append(int(pixels[:, middle + 3 :].sum()))
    assert right[0] == left[0] == left[1] == left[2] == 0
    assert 0 < right[1] < right[2] == pytest.approx(right[3], rel=0.05)
    assert 0 < left[3] < left[4] == pytest.approx(right[4], rel=0.08)
    assert (left[5], right[5]) == (left[4], right[4])


def test_the_body_glows_where_it_is_and_most_at_its_rim():
    ground, state = ground_and_ball(0.3)
    plain = drawn()
    change = drawn(state=state, ground=ground).astype(int) - plain
    rows, columns = np.nonzero(np.abs(change).sum(2) > 12)
    assert len(rows) > 200
    # To the camera's right is to the mirror's left: 0.3 / 2.5 of 130 px of the camera, scaled to cover.
    scale = SIZE[1] / CAMERA.height
    assert columns.mean() == pytest.approx((SIZE[0] - 1) / 2 - scale * 130.0 * 0.3 / 2.5, abs=6.0)
    assert rows.mean() == pytest.approx((SIZE[1] - 1) / 2, abs=6.0)
    blue = change[round(rows.mean()), :, 2]
    inside = np.flatnonzero(blue > 5)
    assert blue[inside].max() > 2 * blue[round(inside.mean())] > 0
    np.testing.assert_array_equal(drawn(state=state), plain)  # without a floor nobody is placed


def test_long_captions_stay_in_the_picture():
    words = "arms a little away from the body, then turn once on the spot, slowly"
    change = np.abs(drawn(caption=words, title="camera").astype(int) - drawn()).sum(2) > 30
    columns = np.flatnonzero(change.any(0))
    assert columns.min() >= 0.04 * SIZE[0]
    assert columns.max() <= 0.96 * SIZE[0]
    assert change[: SIZE[1] // 8].any()
    assert change[round(0.9 * SIZE[1]) :].any()


def test_the_camera_is_set_into_the_mirror():
    paper = np.full((480, 270, 3), 240, np.uint8)
    camera = np.zeros((120, 160, 3), np.uint8)
    camera[:, 80:] = 120
    alone = mirror_picture(paper.copy(), None, "you", "")
    both = mirror_picture(paper.copy(), camera, "you", "")
    changed = (alone != both).any(2)
    rows, columns = np.nonzero(changed)
    assert columns.min() > SIZE[0] / 2
    assert rows.max() < SIZE[1] / 2
    inset = both[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0]
    row = inset[len(inset) // 2]
    assert row[4] == 120  # mirrored: the right half is on the left
    assert row[-4] == 0
    assert inset[0, 0] > 200  # round corners

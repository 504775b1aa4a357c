import numpy as np
import pytest

from game.assets import load_body_model
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.clothing import THICKNESS_M, cloth_likeness, undressed
from solver.measures import measure_body

SKIN, SHIRT = (201, 152, 127), (40, 90, 130)


@pytest.fixture(scope="module")
def dressed():
    model = load_body_model()
    body = shape_body(model, np.zeros(model.shape_count))
    vertices = skin(model, body.vertices, joint_transforms(model, body.joints, canonical_pose(model, body.joints)))
    colors = np.tile(np.array(SKIN, np.uint8), (model.vertex_count, 1))
    rng = np.random.default_rng(0)
    colors = np.clip(colors + rng.integers(-6, 7, colors.shape), 0, 255).astype(np.uint8)
    suit = [model.part(name) for name in ("trunk", "thigh_l", "thigh_r")]
    colors[np.isin(model.part_labels, suit)] = SHIRT
    return model, vertices, colors


def test_cloth_is_told_from_skin(dressed):
    model, _, colors = dressed
    likeness = cloth_likeness(model, colors)
    suit = np.isin(model.part_labels, [model.part(name) for name in ("trunk", "thigh_l", "thigh_r")])
    assert likeness[suit].mean() > 0.95
    assert likeness[~suit].mean() < 0.05


@pytest.mark.parametrize("tone", [(234, 192, 172), (92, 60, 44)])
def test_bare_skin_of_any_tone_stays(dressed, tone):
    model, vertices, _ = dressed
    colors = np.tile(np.array(tone, np.uint8), (model.vertex_count, 1))
    np.testing.assert_array_equal(undressed(model, vertices, colors), vertices)


def test_no_colours_no_change(dressed):
    model, vertices, _ = dressed
    assert undressed(model, vertices, None) is vertices


def test_a_tape_loses_two_pi_thicknesses(dressed):
    model, vertices, colors = dressed
    before = measure_body(model, vertices, sample_count=1)
    after = measure_body(model, undressed(model, vertices, colors), sample_count=1)
    for key in ("chest_girth", "waist_girth", "hip_girth"):
        lost = before[key].value_mm - after[key].value_mm
        assert lost == pytest.approx(2e3 * np.pi * THICKNESS_M, abs=3.5), key
    assert after["wrist_girth"].value_mm == pytest.approx(before["wrist_girth"].value_mm, abs=0.5)

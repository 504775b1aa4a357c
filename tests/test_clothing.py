import numpy as np
import pytest

from game.assets import load_body_model
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.clothing import THICKNESS_M, cloth_likeness, find_hem, layer_counts, undressed
from solver.measures import measure_body

SKIN, SHIRT, TROUSERS = (201, 152, 127), (40, 90, 130), (70, 70, 66)


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
    naked, spread = undressed(model, vertices, colors)
    np.testing.assert_array_equal(naked, vertices)
    np.testing.assert_array_equal(spread, 0.0)


def test_no_colours_no_change(dressed):
    model, vertices, _ = dressed
    assert undressed(model, vertices, None)[0] is vertices


def test_a_tape_loses_two_pi_thicknesses(dressed):
    model, vertices, colors = dressed
    before = measure_body(model, vertices, sample_count=1)
    after = measure_body(model, undressed(model, vertices, colors)[0], sample_count=1)
    for key in ("chest_girth", "waist_girth", "hip_girth"):
        lost = before[key].value_mm - after[key].value_mm
        assert lost == pytest.approx(2e3 * np.pi * THICKNESS_M, abs=3.5), key
    assert after["wrist_girth"].value_mm == pytest.approx(before["wrist_girth"].value_mm, abs=0.5)


def in_two_pieces(dressed, line):
    """Colours of a shirt that ends on trousers at the height `line` [m]."""
    model, vertices, colors = dressed
    colors = colors.copy()
    suit = np.isin(model.part_labels, [model.part(name) for name in ("trunk", "thigh_l", "thigh_r")])
    colors[suit & (vertices[:, 2] < line)] = TROUSERS
    return colors


def waist_of(model, vertices):
    return vertices[[model.landmarks["waist_side_l"], model.landmarks["waist_side_r"]], 2].mean()


@pytest.mark.parametrize("below_waist", [0.14, 0.09, 0.05, -0.02])
def test_the_line_between_two_garments_is_found(dressed, below_waist):
    model, vertices, _ = dressed
    line = waist_of(model, vertices) - below_waist
    colors = in_two_pieces(dressed, line)
    assert find_hem(model, vertices, colors, cloth_likeness(model, colors)) == pytest.approx(line, abs=0.011)


@pytest.mark.parametrize("period_m", [0.03, 0.06, 0.1])
def test_stripes_are_no_hems(dressed, period_m):
    model, vertices, colors = dressed
    colors = colors.copy()
    trunk = model.part_labels == model.part("trunk")
    colors[trunk & (vertices[:, 2] % period_m < period_m / 2)] = (200, 205, 215)
    assert find_hem(model, vertices, colors, np.ones(len(vertices))) is None


def test_a_hem_on_bare_skin_is_none_on_a_garment(dressed):
    model, vertices, colors = dressed
    colors = colors.copy()
    trunk = model.part_labels == model.part("trunk")
    colors[trunk & (vertices[:, 2] < waist_of(model, vertices))] = SKIN
    assert find_hem(model, vertices, colors, cloth_likeness(model, colors)) is None


def test_a_shirt_over_trousers_is_two_layers_above_its_hem(dressed):
    model, vertices, _ = dressed
    line = waist_of(model, vertices) - 0.10
    layers, spread = layer_counts(model, vertices, in_two_pieces(dressed, line))
    trunk = model.part_labels == model.part("trunk")
    above = vertices[:, 2] - line

    def mean(values, low, high):
        return values[trunk & (above > low) & (above < high)].mean()

    assert mean(layers, 0.005, 0.02) > 1.85
    assert mean(layers, 0.2, 0.3) < 1.05
    assert mean(layers, -0.08, -0.01) < 1.05
    assert mean(spread, 0.07, 0.09) > 0.4 > mean(spread, 0.2, 0.3)


def test_a_shirt_tucked_in_at_the_waist_is_two_layers_below(dressed):
    model, vertices, _ = dressed
    line = waist_of(model, vertices) + 0.02
    layers, _ = layer_counts(model, vertices, in_two_pieces(dressed, line))
    trunk = model.part_labels == model.part("trunk")
    above = vertices[:, 2] - line
    assert layers[trunk & (above < -0.005) & (above > -0.03)].mean() > 1.8
    assert layers[trunk & (above > 0.01)].mean() < 1.1

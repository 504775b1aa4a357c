import numpy as np
import pytest

from game.assets import load_body_model
from solver.hair import CHROMA_GAIN, SOFTNESS, HairZones, learn_hair
from solver.kernels.hair_likeness import hair_likeness

MODEL = load_body_model()
ZONES = HairZones.of(MODEL)
SKINS = {"pale": (230, 196, 176), "brown": (150, 108, 80), "dark": (84, 56, 42)}
HAIRS = {"black": (22, 18, 17), "brown": (70, 48, 34), "blond": (178, 142, 92), "grey": (142, 140, 137)}


def seen(skin, hair, shirt, rng, shading=0.2):
    """Vertices and the colours that a camera would see of them, unevenly lit."""
    vertices = rng.integers(0, MODEL.vertex_count, 6000).astype(np.int32)
    color = np.tile(np.array(skin, float), (len(vertices), 1))
    color[ZONES.scalp[vertices]] = hair
    color[ZONES.chest[vertices]] = shirt
    color *= np.exp(rng.normal(0.0, shading, (len(vertices), 1)))
    return vertices, np.clip(color + rng.normal(0.0, 3.0, color.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("skin", "hair"), [("pale", "black"), ("pale", "grey"), ("brown", "black"), ("pale", "blond")])
def test_hair_is_told_from_skin(skin, hair):
    rng = np.random.default_rng(1)
    vertices, colors = seen(SKINS[skin], HAIRS[hair], (40, 90, 130), rng)
    look = learn_hair(ZONES, vertices, colors)
    assert look is not None
    likeness = look.likeness(colors)
    assert likeness[ZONES.scalp[vertices]].mean() > 0.85
    assert likeness[ZONES.face[vertices]].mean() < 0.15


@pytest.mark.parametrize("skin", SKINS)
def test_a_bald_head_has_no_hair(skin):
    vertices, colors = seen(SKINS[skin], SKINS[skin], (40, 90, 130), np.random.default_rng(2))
    assert learn_hair(ZONES, vertices, colors) is None


def test_a_shirt_of_the_hair_s_colour_keeps_the_trunk():
    rng = np.random.default_rng(3)
    trunk = MODEL.part_labels == MODEL.part("trunk")
    look = learn_hair(ZONES, *seen(SKINS["pale"], HAIRS["black"], HAIRS["black"], rng))
    assert look is not None
    assert not look.zone[trunk].any()
    other = learn_hair(ZONES, *seen(SKINS["pale"], HAIRS["black"], (200, 60, 60), rng))
    assert other is not None
    assert other.zone[trunk].any()


def test_too_little_seen_is_no_hair():
    vertices, colors = seen(SKINS["pale"], HAIRS["black"], (40, 90, 130), np.random.default_rng(4))
    few = np.flatnonzero(ZONES.scalp[vertices])[:20]
    assert learn_hair(ZONES, vertices[few], colors[few]) is None


def test_likeness_of_a_picture_is_that_of_its_colours():
    rng = np.random.default_rng(5)
    look = learn_hair(ZONES, *seen(SKINS["pale"], HAIRS["brown"], (40, 90, 130), rng))
    assert look is not None
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    depth = np.where(rng.uniform(size=(20, 30)) < 0.8, 2.0, 0.0).astype(np.float32)
    expected = np.where(depth > 0.0, look.likeness(picture), 0.0)
    found = np.empty(depth.shape, np.float32)
    hair_likeness(picture, depth, look.skin, look.hair, CHROMA_GAIN, SOFTNESS, found)
    assert np.abs(found - expected).max() < 1e-6
    assert np.array_equal(look.likeness_where(picture, depth), found)
    assert (expected > 0.9).any()
    assert ((depth > 0.0) & (expected < 0.1)).any()

"""From the first frame to the files: a simulated shopper is scanned and compared with what they are."""

import json
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import trimesh

from benchmarks.accuracy import surface_errors, true_measures
from capture.landmarks import PoseLandmarker
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from game.measurements import read_report
from game.scan import Phase, scan_source
from game.scan_files import write_scan
from game.view.context import NoGraphicsError
from game.view.graphics import OffscreenGraphics
from solver.errors import InputError
from solver.measures import DEFINITIONS

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "measurements.schema.json").read_text())
FILES = ["body.glb", "body.ply", "measurements.json", "report.png"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def source(model):
    with SimulatedSource.from_spec("sim:visit=scan,seed=12,fps=8,seconds=8", model) as source:
        yield source


@pytest.fixture(scope="module")
def glimpses():
    return []


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def scan(model, source, glimpses, told):
    with PoseLandmarker(POSE_LANDMARKER) as landmarker:
        return scan_source(
            source,
            model,
            landmarker,
            progress=lambda what, share: told.append((what, share)),
            on_glimpse=glimpses.append,
        )


@pytest.fixture(scope="module")
def graphics():
    graphics = OffscreenGraphics()
    try:
        graphics.describe_driver()
    except NoGraphicsError as error:
        pytest.skip(f"no OpenGL here: {error}")
    return graphics


def test_measures_are_those_of_the_shopper(model, source, scan):
    truth = true_measures(model, source)
    for key, allowed in {"height": 20.0, "chest_girth": 40.0, "waist_girth": 40.0, "hip_girth": 40.0}.items():
        assert scan.measurements[key].value_mm == pytest.approx(truth[key].value_mm, abs=allowed), key
        assert scan.measurements[key].std_mm > 0.0
    assert set(scan.measurements) | set(scan.measurements.missing) == set(DEFINITIONS)


def test_the_surface_is_the_shoppers(model, source, scan):
    bias, mean, p95 = surface_errors(model, source, scan)
    assert abs(bias) < 0.01
    assert mean < 0.012
    assert p95 < 0.03


def test_the_turn_is_seen_as_it_was(source, scan, glimpses, told):
    assert np.rad2deg(abs(scan.turned)) == pytest.approx(360.0, abs=50.0)
    assert scan.frame_count == len(glimpses) <= source.info.frame_count
    assert scan.ground.inlier_fraction > 0.1
    followed = [glimpse.state is not None for glimpse in glimpses]
    assert np.mean(followed) > 0.9
    assert Phase.TURNING in {glimpse.phase for glimpse in glimpses}
    shares = [share for _, share in told]
    assert 0.0 <= min(shares) <= max(shares) <= 1.0 + 1e-9
    assert sum(scan.seconds.values()) > 0.0


def test_all_files_are_there_and_valid(model, scan, graphics, tmp_path):
    out = tmp_path / "new" / "scan"
    content = write_scan(out, scan, model, graphics)
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert json.loads((out / "measurements.json").read_text()) == content
    jsonschema.validate(content, SCHEMA)
    report = read_report(out / "measurements.json")
    height = report.value("height")
    assert height == pytest.approx(scan.measurements["height"].value_mm, abs=0.06)
    assert 0.0 < report.coverage <= 1.0
    surface = trimesh.load(out / "body.ply", process=False)
    assert len(surface.faces) > 10_000
    assert surface.is_watertight
    assert 1e3 * surface.extents[2] == pytest.approx(height, abs=60.0)
    assert surface.visual.vertex_colors[:, :3].std() > 5.0
    figure = trimesh.load(out / "body.glb", force="mesh")
    assert len(figure.faces) == len(model.faces)
    assert 1e3 * figure.extents.max() == pytest.approx(height, abs=100.0)
    picture = cv2.imread(str(out / "report.png"))
    assert picture.shape == (1500, 2480, 3)
    assert picture.std() > 10.0


def test_nothing_is_half_written(model, scan, graphics, tmp_path):
    taken = tmp_path / "scan"
    taken.write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        write_scan(taken, scan, model, graphics)
    assert taken.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


def test_a_failure_on_the_way_keeps_the_last_scan(model, scan, tmp_path):
    class NoGraphics(OffscreenGraphics):
        def portraits(self, *_):
            raise InputError("no OpenGL here")

    (tmp_path / "report.png").write_text("the last one")
    with pytest.raises(InputError, match="no OpenGL"):
        write_scan(tmp_path, scan, model, NoGraphics())
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]
    assert (tmp_path / "report.png").read_text() == "the last one"

"""RGB-D folders in three layouts: units, pairing and poses, and what is wrong with a folder in one line."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from capture.rgbd_folder import RgbdFolder
from capture.rgbd_layouts import associate
from capture.rgbd_writer import RgbdFolderWriter
from capture.source import EndOfRecording
from solver.errors import ChevalError, InputError, UsageError
from solver.types import read_only
from tests import recordings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "rgbd"


def read_all(folder: Path) -> list:
    frames = []
    with RgbdFolder(folder) as source:
        while True:
            try:
                frames.append(source.read())
            except EndOfRecording:
                return frames


@pytest.mark.parametrize("layout", ["open3d", "tum", "seven_scenes"])
def test_pictures_are_read_as_they_are(layout, tmp_path):
    frames = read_all(getattr(recordings, f"write_{layout}")(tmp_path / layout))
    assert len(frames) == recordings.FRAME_COUNT
    for k, frame in enumerate(frames):
        assert frame.intrinsics == recordings.INTRINSICS
        np.testing.assert_array_equal(frame.color, recordings.color_of(k))
        np.testing.assert_array_equal(frame.depth, recordings.depth_of(k))
        assert frame.sequence == k
        start = 1305031102.0 if layout == "tum" else 0.0
        assert frame.captured_at == pytest.approx(start + k / 30, abs=1e-5)
        if layout == "open3d":
            assert frame.T_wc is None
        else:
            np.testing.assert_allclose(frame.T_wc, recordings.pose_of(k), atol=1e-6)


def test_one_frame_is_enough(tmp_path):
    for layout in ("open3d", "tum", "seven_scenes"):
        assert len(read_all(getattr(recordings, f"write_{layout}")(tmp_path / layout, 1))) == 1


def test_written_folder_reads_back(tmp_path):
    rng = np.random.default_rng(0)
    fine = read_only(rng.uniform(0.3, 5.9, recordings.depth_of(0).shape).astype(np.float32))
    with RgbdFolderWriter(tmp_path / "copy", recordings.INFO) as writer:
        writer.write(recordings.frame_of(0))
        writer.write(recordings.frame_of(1, depth=fine))
    frames = read_all(tmp_path / "copy")
    np.testing.assert_array_equal(frames[0].color, recordings.color_of(0))
    np.testing.assert_array_equal(frames[0].depth, recordings.depth_of(0))
    assert np.abs(frames[1].depth - fine).max() < 0.51e-4
    assert [frame.captured_at for frame in frames] == [recordings.frame_of(k).captured_at for k in range(2)]
    np.testing.assert_allclose(frames[0].gravity, recordings.GRAVITY)
    with RgbdFolder(tmp_path / "copy") as source:
        assert source.info.noise == recordings.INFO.noise
        assert source.info.serial == recordings.INFO.serial
    with pytest.raises(UsageError, match="exists already"):
        RgbdFolderWriter(tmp_path / "copy", recordings.INFO)
    with pytest.raises(InputError, match="nothing was recorded"), RgbdFolderWriter(tmp_path / "none", recordings.INFO):
        pass
    with pytest.raises(InputError, match="no colour"), RgbdFolderWriter(tmp_path / "broken", recordings.INFO) as writer:
        writer.write(recordings.frame_of(0, color=None))
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_depth_scale_of_the_folder_counts(tmp_path):
    frames = read_all(recordings.write_open3d(tmp_path / "a", 1, depth_scale=4000))
    np.testing.assert_allclose(frames[0].depth, recordings.depth_of(0) / 4, rtol=1e-6)


def test_distortion_is_taken_out(tmp_path):
    """A grid of points seen through a lens with distortion comes out where a pinhole sees it."""
    coefficients = [-0.25, 0.1, 0.002, -0.001, 0.0]
    folder = recordings.write_open3d(tmp_path / "lens", 1, distortion=coefficients)
    width, height, fx, fy, cx, cy = recordings.INTRINSICS
    pixels = np.array([(20, 15), (75, 15), (48, 32), (20, 50), (75, 50)])
    rays = np.column_stack([(pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy, np.ones(5)])
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    seen, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, np.array(coefficients))
    seen = seen[:, 0]
    assert np.abs(seen - pixels).max() > 1.0
    depth, color = np.full((height, width), 3000, np.uint16), np.zeros((height, width, 3), np.uint8)
    for i, (x, y) in enumerate(np.rint(seen).astype(int)):
        depth[y - 1 : y + 2, x - 1 : x + 2] = 1000 + i
        color[y - 1 : y + 2, x - 1 : x + 2] = 200
    recordings.write_picture(folder / "color" / "000000.png", color)
    recordings.write_picture(folder / "depth" / "000000.png", depth)
    frame = read_all(folder)[0]
    for i, (x, y) in enumerate(pixels):
        assert frame.depth[y, x] == np.float32((1000 + i) / 1000)
        assert frame.color[y, x, 0] > 150
    assert set(np.unique(frame.depth)) <= {np.float32(v / 1000) for v in (0, 1000, 1001, 1002, 1003, 1004, 3000)}


def test_pairs_by_leading_number_and_leaves_out_singles(tmp_path, caplog):
    folder = recordings.write_open3d(tmp_path / "a", 3)
    for k in range(3):
        (folder / "color" / f"{k:06d}.png").rename(folder / "color" / f"{k + 1:07d}-{k * 333:012d}.png")
        (folder / "depth" / f"{k:06d}.png").rename(folder / "depth" / f"{k + 1:07d}-{k * 333 + 11:012d}.png")
    assert len(read_all(folder)) == 3
    next((folder / "depth").glob("0000002*")).unlink()
    frames = read_all(folder)
    np.testing.assert_array_equal(frames[1].color, recordings.color_of(2))
    np.testing.assert_array_equal(frames[1].depth, recordings.depth_of(2))
    assert "1 pictures have no partner" in caplog.text


def test_association_takes_the_nearest_once():
    colors = [(0.000, Path("c0")), (0.034, Path("c1")), (0.100, Path("c2"))]
    depths = [(0.010, Path("d0")), (0.030, Path("d1")), (0.041, Path("d2")), (0.125, Path("d3"))]
    assert associate(colors, depths) == [(0.010, Path("c0"), Path("d0")), (0.030, Path("c1"), Path("d1"))]


def test_associations_file_may_name_either_first(tmp_path):
    folder = recordings.write_tum(tmp_path / "tum", 2)
    for name in ("rgb.txt", "depth.txt"):
        (folder / name).unlink()
    (folder / "associations.txt").write_text("1.0 depth/0.png 1.01 rgb/0.png\n2.01 rgb/1.png 2.0 depth/1.png\n")
    frames = read_all(folder)
    assert [frame.captured_at for frame in frames] == [1.0, 2.0]
    for k in range(2):
        np.testing.assert_array_equal(frames[k].color, recordings.color_of(k))
        np.testing.assert_array_equal(frames[k].depth, recordings.depth_of(k))


def test_a_pose_where_tracking_was_lost_is_no_pose(tmp_path):
    folder = recordings.write_seven_scenes(tmp_path / "a", 3)
    np.savetxt(folder / "frame-000001.pose.txt", np.full((4, 4), -np.inf))
    (folder / "frame-000002.pose.txt").unlink()
    assert [frame.T_wc is None for frame in read_all(folder)] == [False, True, True]


def camera_json(**changes) -> str:
    width, height, fx, fy, cx, cy = recordings.INTRINSICS
    content = {"width": width, "height": height, "intrinsic_matrix": [fx, 0, 0, 0, fy, 0, cx, cy, 1]}
    return json.dumps(content | changes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (camera_json(intrinsic_matrix=[80, 0, 47, 0, 81, 30, 0, 0, 1]), "row-major"),
        (camera_json(intrinsic_matrix=[[80, 0, 0], [0, 81, 0], [47, 30, 1]]), "9 numbers"),
        (camera_json(intrinsic_matrix=[80, 0, 0, 0, 81, 0, 470, 30, 1]), "outside"),
        (camera_json(intrinsic_matrix=[0.8, 0, 0, 0, 0.8, 0, 0.5, 0.5, 1]), "impossible"),
        (camera_json(intrinsic_matrix=[80, 0, 0, 0, -81, 0, 47, 30, 1]), "impossible"),
        (camera_json(intrinsic_matrix=[float("nan"), 0, 0, 0, 81, 0, 47, 30, 1]), "not all numbers"),
        (camera_json(intrinsic_matrix=[80, 0, 0, 3, 81, 0, 47, 30, 1]), "skew"),
        (camera_json(intrinsic_matrix="80"), "9 numbers|not Open3D"),
        (camera_json(width="96"), "whole numbers"),
        (camera_json(width=97), "does not match"),
        (camera_json(width=64, height=96), "does not match"),
        (camera_json(depth_scale=0), "depth_scale"),
        (camera_json(depth_scale=0.001), "depth_scale"),
        (camera_json(distortion=[0.1]), "distortion"),
        (camera_json(gravity=[0, 0, 0]), "gravity"),
        (camera_json(depth_noise={"floor_m": 1}), "not Open3D"),
        (camera_json(frame_rate=0), "frame_rate"),
        ('{"width": 96}', "height"),
        ("[1, 2", "not JSON"),
        ("[]", "not a JSON object"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_wrong_intrinsics(tmp_path, content, words):
    folder = recordings.write_open3d(tmp_path / "a", 1)
    (folder / "intrinsic.json").write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        read_all(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert len(message.splitlines()) == 1


def replace_picture(name: str, picture: np.ndarray):
    return lambda folder: recordings.write_picture(folder / name, picture)


def truncate(name: str, share: float):
    def cut(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return cut


EIGHT_BIT = np.full((64, 96), 200, np.uint8)
LARGER = np.full((128, 192), 1000, np.uint16)
FAULTS = {
    "8-bit depth": ("open3d", replace_picture("depth/000000.png", EIGHT_BIT), r"000000\.png.*16-bit"),
    "colour as depth": ("open3d", replace_picture("depth/000000.png", np.dstack([EIGHT_BIT] * 3)), "16-bit"),
    "depth of another size": (
        "open3d",
        replace_picture("depth/000000.png", LARGER),
        "192x128 does not match.*register",
    ),
    "16-bit colour": ("open3d", replace_picture("color/000000.png", np.dstack([LARGER] * 3)), "does not match|8 bits"),
    "truncated depth": ("open3d", truncate("depth/000000.png", 0.5), r"depth.000000\.png.*truncated"),
    "empty colour": ("open3d", truncate("color/000000.png", 0.0), r"color.000000\.png.*truncated"),
    "nearly whole colour": ("open3d", truncate("color/000000.png", 0.99), r"color.000000\.png.*truncated"),
    "no depth folder": ("open3d", lambda f: shutil.rmtree(f / "depth"), "depth: no pictures"),
    "no intrinsics": ("open3d", lambda f: (f / "intrinsic.json").unlink(), r"intrinsic\.json: missing"),
    "other names": (
        "open3d",
        lambda f: [p.rename(p.with_name(f"x{p.name}")) for p in (f / "color").iterdir()],
        "same name",
    ),
    "falling times": ("open3d", lambda f: (f / "timestamps.txt").write_text("000000 5\n000001 4\n"), "times fall"),
    "no rgb.txt": ("tum", lambda f: (f / "rgb.txt").unlink(), r"rgb\.txt: missing"),
    "no depth.txt": ("tum", lambda f: (f / "depth.txt").unlink(), r"depth\.txt: missing"),
    "words for times": ("tum", lambda f: (f / "depth.txt").write_text("soon depth/0.png\n"), "soon is not a number"),
    "half lines": ("tum", lambda f: (f / "depth.txt").write_text("# x\n1.0\n"), "line 2: expected time file"),
    "far apart": ("tum", lambda f: (f / "depth.txt").write_text("1.0 depth/0.png\n"), r"within 0\.02 s"),
    "outside": ("tum", lambda f: (f / "depth.txt").write_text("1 ../../etc/x.png\n"), "outside the folder"),
    "missing picture": ("tum", lambda f: (f / "depth/0.png").unlink(), r"0\.png"),
    "odd size, no intrinsics": ("tum", lambda f: (f / "camera-intrinsics.txt").unlink(), "no intrinsics for 96x64"),
    "zero quaternion": ("tum", lambda f: (f / "groundtruth.txt").write_text("1 0 0 0 0 0 0 0\n"), "quaternion"),
    "short trajectory": ("tum", lambda f: (f / "groundtruth.txt").write_text("1 0 0 0\n"), "line 1"),
    "no matrix": ("seven_scenes", lambda f: (f / "camera-intrinsics.txt").unlink(), "missing; write the rows"),
    "transposed": (
        "seven_scenes",
        lambda f: (f / "camera-intrinsics.txt").write_text("80 0 0\n0 81 0\n47 30 1\n"),
        "transposed",
    ),
    "2x2": ("seven_scenes", lambda f: (f / "camera-intrinsics.txt").write_text("1 0\n0 1\n"), "3 rows of 3"),
    "NaN": (
        "seven_scenes",
        lambda f: (f / "camera-intrinsics.txt").write_text("nan 0 47\n0 81 30\n0 0 1\n"),
        "numbers",
    ),
    "binary": ("seven_scenes", lambda f: (f / "camera-intrinsics.txt").write_bytes(b"\xff\x00\xfe"), "numbers"),
    "mirrored pose": (
        "seven_scenes",
        lambda f: np.savetxt(f / "frame-000000.pose.txt", np.diag([1, 1, -1, 1.0])),
        r"frame-000000\.pose\.txt.*rigid",
    ),
    "no colour": ("seven_scenes", lambda f: [p.unlink() for p in f.glob("*.color.png")], "no pair"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_folders(tmp_path, fault):
    layout, damage, words = FAULTS[fault]
    folder = getattr(recordings, f"write_{layout}")(tmp_path / layout, 2)
    damage(folder)
    with pytest.raises(InputError, match=words) as caught:
        read_all(folder)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_folders_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        RgbdFolder(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"an empty folder.*Open3D.*TUM.*7-Scenes"):
        RgbdFolder(tmp_path)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not an RGB-D folder"):
        RgbdFolder(tmp_path)


@pytest.mark.parametrize("layout", ["open3d", "tum", "seven_scenes"])
def test_random_damage_gives_a_frame_or_one_clear_error(tmp_path, layout):
    """Bytes changed, cut out and added anywhere in any file: never anything but our own errors."""
    pristine = getattr(recordings, f"write_{layout}")(tmp_path / "pristine", 1)
    files = sorted(path for path in pristine.rglob("*") if path.is_file())
    rng = random.Random(layout)
    outcomes = {"read": 0, "refused": 0, "rambling": 0}
    for _ in range(60):
        path = rng.choice(files)
        content = bytearray(path.read_bytes())
        kept = bytes(content)
        for _ in range(rng.choice((1, 3, 30))):
            at = rng.randrange(len(content)) if content else 0
            match rng.randrange(3):
                case 0 if content:
                    content[at] = rng.randrange(256)
                case 1:
                    del content[at : at + rng.randrange(1, 200)]
                case _:
                    content[at:at] = rng.randbytes(rng.randrange(1, 50))
        path.write_bytes(content)
        try:
            for frame in read_all(pristine):
                assert np.isfinite(frame.depth).all()
                assert frame.depth.min() >= 0
            outcomes["read"] += 1
        except ChevalError as error:
            outcomes["refused"] += len(str(error).splitlines()) == 1
            outcomes["rambling"] += len(str(error).splitlines()) != 1
        path.write_bytes(kept)
    assert outcomes["refused"] > 20
    assert outcomes["rambling"] == 0


def test_real_frames_of_another_kind(tmp_path):
    """Real posed frames, laid out as TUM does with the scale and intrinsics that come with them."""
    source = DATA / "slambook" / "ch5" / "rgbd"
    if not source.is_dir():
        pytest.skip("slambook's frames are not on this machine")
    shutil.copytree(source, tmp_path / "room")
    folder = tmp_path / "room"
    poses = [line.split() for line in (folder / "pose.txt").read_text().splitlines()]
    (folder / "rgb.txt").write_text("".join(f"{k} color/{k}.png\n" for k in range(1, 6)))
    (folder / "depth.txt").write_text("".join(f"{k} depth/{k}.pgm\n" for k in range(1, 6)))
    (folder / "groundtruth.txt").write_text("".join(f"{k} {' '.join(poses[k - 1])}\n" for k in range(1, 6)))
    matrix = [518.0, 0, 0, 0, 519.0, 0, 325.5, 253.5, 1]
    camera = {"width": 640, "height": 480, "intrinsic_matrix": matrix, "depth_scale": 1000}
    (folder / "intrinsic.json").write_text(json.dumps(camera))
    frames = read_all(folder)
    assert len(frames) == 5
    clouds = []
    for frame in frames[3:]:  # the two that overlap most
        rows, columns = np.nonzero((frame.depth > 0) & (frame.depth < 4))
        z = frame.depth[rows, columns].astype(np.float64)
        k = frame.intrinsics
        points = np.column_stack([(columns - k.cx) / k.fx * z, (rows - k.cy) / k.fy * z, z])
        clouds.append((points @ frame.T_wc[:3, :3].T + frame.T_wc[:3, 3])[::50])
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(clouds[1]).query(clouds[0])
    assert np.median(distance) < 0.05  # two views of the room lie on each other; with inverted poses it is 0.21

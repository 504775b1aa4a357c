"""Finding the person: the real landmarker on real photos where they are, and on what may go wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from capture.landmarks import LANDMARK_COUNT, LandmarkerError, PoseLandmarker
from game.assets import POSE_LANDMARKER
from solver.errors import InputError
from solver.types import Frame, Intrinsics, read_only

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ASTRONAUT = DATA / "photos" / "astronaut.png"
BACKS = DATA / "rgbd" / "pcl_people" / "five_people_color.png"
NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP, LEFT_ANKLE = 0, 11, 12, 23, 24, 27


def frame_of(color: np.ndarray, sequence: int = 0, captured_at: float = 0.0) -> Frame:
    height, width = color.shape[:2]
    intrinsics = Intrinsics(width, height, 500.0, 500.0, width / 2, height / 2)
    return Frame(sequence, captured_at, intrinsics, read_only(np.ascontiguousarray(color)), None)


def photo(path: Path) -> np.ndarray:
    if not path.is_file():
        pytest.skip(f"{path.name} is not on this machine")
    picture = cv2.imread(str(path))
    assert picture is not None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def test_bundle_is_the_one_its_provenance_names():
    provenance = json.loads((POSE_LANDMARKER.parent / "provenance.json").read_text())
    assert hashlib.sha256(POSE_LANDMARKER.read_bytes()).hexdigest() == provenance["sha256"]
    assert provenance["license"] == "Apache-2.0"
    assert "Apache License" in (POSE_LANDMARKER.parent / "LICENSE").read_text()


def test_finds_a_face_in_a_photo():
    color = photo(ASTRONAUT)
    with PoseLandmarker(POSE_LANDMARKER) as landmarker:
        seen = [landmarker.observe(frame_of(color, k, 1e6 + k / 30)) for k in range(3)][-1]
    assert seen.landmarks is not None
    assert seen.mask is not None
    assert seen.landmarks.image.shape == (LANDMARK_COUNT, 2)
    assert seen.landmarks.world.shape == (LANDMARK_COUNT, 3)
    assert seen.landmarks.visibility.shape == (LANDMARK_COUNT,)
    assert seen.mask.shape == color.shape[:2]
    assert seen.mask.dtype == np.float32
    assert not seen.mask.flags.writeable
    # Her nose, by eye, in the 512 x 512 picture; her left is at the picture's right.
    assert np.linalg.norm(seen.landmarks.image[NOSE] - (222, 128)) < 12
    assert seen.landmarks.image[LEFT_SHOULDER, 0] > seen.landmarks.image[RIGHT_SHOULDER, 0]
    assert seen.mask[128, 222] > 0.9
    assert seen.mask[20, 20] < 0.1


def test_finds_a_person_from_behind():
    color = photo(BACKS)
    with PoseLandmarker(POSE_LANDMARKER) as landmarker:
        seen = [landmarker.observe(frame_of(color, k, k / 30)) for k in range(3)][-1]
    assert seen.landmarks is not None
    # Seen from behind, the left side is at the picture's left.
    assert seen.landmarks.image[LEFT_SHOULDER, 0] < seen.landmarks.image[RIGHT_SHOULDER, 0]
    assert seen.landmarks.image[LEFT_HIP, 0] < seen.landmarks.image[RIGHT_HIP, 0]


def test_nobody_in_view_then_any_clock():
    blank = np.full((120, 160, 3), 90, np.uint8)
    with PoseLandmarker(POSE_LANDMARKER) as landmarker:
        for sequence, captured_at in enumerate((50.0, 50.0, 50.0001, 49.0, 1e-3, 1e6)):
            seen = landmarker.observe(frame_of(blank, sequence, captured_at))
            assert seen.landmarks is None
            assert seen.mask is None
            assert seen.frame.sequence == sequence


def test_bad_models_and_use_after_close(tmp_path: Path):
    with pytest.raises(InputError, match=r"absent\.task.*build_pose_landmarker"):
        PoseLandmarker(tmp_path / "absent.task")
    damaged = tmp_path / "damaged.task"
    for content in (b"", b"no zip", POSE_LANDMARKER.read_bytes()[:100_000]):
        damaged.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged\.task"):
            PoseLandmarker(damaged)
    landmarker = PoseLandmarker(POSE_LANDMARKER)
    with pytest.raises(InputError, match="no colour"):
        landmarker.observe(Frame(0, 0.0, Intrinsics(4, 4, 5.0, 5.0, 2.0, 2.0), None, None))
    landmarker.close()
    landmarker.close()
    with pytest.raises(LandmarkerError, match="closed"):
        landmarker.observe(frame_of(np.zeros((8, 8, 3), np.uint8)))


def test_forgotten_landmarker_does_not_hang_or_chatter_at_exit():
    script = (
        "import numpy as np; from capture.landmarks import PoseLandmarker; from game.assets import POSE_LANDMARKER;"
        "from solver.types import Frame, Intrinsics; kept = PoseLandmarker(POSE_LANDMARKER);"
        "kept.observe(Frame(0, 0.0, Intrinsics(64, 64, 60.0, 60.0, 32.0, 32.0), np.zeros((64, 64, 3), np.uint8), None))"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""

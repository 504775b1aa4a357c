"""`cheval fuse`: a folder in, one surface out, in the recording's own world; one clear line for what cannot be."""

import json

import cv2
import numpy as np
import pytest
import trimesh

from benchmarks import _flights as flights
from main import main

BACK = (-2.2, -1.9, 0.0), (2.2, 1.9, 2.6)
"""The simulated room."""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Ten posed frames of a simulated room in 7-Scenes' layout."""
    folder = tmp_path_factory.mktemp("room")
    k = flights.INTRINSICS
    np.savetxt(folder / "camera-intrinsics.txt", [[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1]])
    flight = flights.turn()
    flight = flights.Flight(flight.poses[:10], flight.vertices, flight.faces)
    for frame in flight.frames():
        stem = folder / f"frame-{frame.sequence:06d}"
        cv2.imwrite(f"{stem}.color.png", frame.color[..., ::-1])
        cv2.imwrite(f"{stem}.depth.png", np.rint(1e3 * frame.depth).astype(np.uint16))
        np.savetxt(f"{stem}.pose.txt", flight.poses[frame.sequence])
    return folder


@pytest.fixture
def unposed(room, tmp_path):
    for path in room.iterdir():
        if "pose" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def off_the_room(mesh):
    """Distances [m] of vertices from the room's true surfaces."""
    true = trimesh.Trimesh(*flights.furnished_room(), process=False)
    rng = np.random.default_rng(0)
    chosen = mesh.vertices[rng.choice(len(mesh.vertices), min(400, len(mesh.vertices)), replace=False)]
    return trimesh.proximity.closest_point_naive(true, chosen)[1]


@pytest.mark.parametrize("poses", ["given", "track"])
def test_a_folder_becomes_a_surface_in_its_own_world(room, tmp_path, capsys, poses):
    out = tmp_path / "room.ply"
    status = main(["fuse", str(room), "--poses", poses, "--voxel", "0.015", "--out", str(out), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert status == 0
    assert printed["poses"] == poses
    assert printed["frames"] == printed["fused"] == 10
    mesh = trimesh.load(out, process=False)
    assert len(mesh.faces) == printed["triangles"] > 3000
    assert mesh.visual.vertex_colors[:, :3].std() > 5
    assert np.median(off_the_room(mesh)) < 0.008
    assert out.read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\ncomment metres, world frame")
    assert [p.name for p in tmp_path.iterdir()] == ["room.ply"]
    if poses == "track":
        assert printed["tracking"]["tracked"] == 10
        assert printed["tracking"]["against_given"]["ate_mm"] < 8


def test_poses_are_used_where_there_are_any(room, unposed, tmp_path, capsys):
    assert main(["fuse", str(room), "--voxel", "0.03", "--out", str(tmp_path / "a.ply"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["poses"] == "given"
    assert main(["fuse", str(unposed), "--voxel", "0.03", "--out", str(tmp_path / "b.ply")]) == 0
    printed = capsys.readouterr().out
    assert "10 tracked" in printed
    assert "drift is not known" in printed


def test_what_cannot_be_is_said_in_one_line(room, unposed, tmp_path, capsys):
    out = tmp_path / "new" / "room.ply"
    for words, expected, clue in (
        (["fuse", str(unposed), "--poses", "given", "--out", str(out)], 3, "--poses track"),
        (["fuse", str(tmp_path / "none"), "--out", str(out)], 3, "no such"),
        (["fuse", str(room), "--out", str(tmp_path / "room.obj")], 2, "PLY"),
        (["fuse", str(room), "--voxel", "5", "--out", str(out)], 2, "--voxel"),
        (["fuse", "webcam:99", "--out", str(out)], 4, ""),
    ):
        assert main(words) == expected
        error = capsys.readouterr().err.strip()
        assert error.count("\n") == 0
        assert clue in error
    assert not out.exists()


def test_an_interruption_leaves_nothing(room, tmp_path, monkeypatch):
    from solver.volume.rigid import RigidVolume

    monkeypatch.setattr(RigidVolume, "mesh", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    out = tmp_path / "room.ply"
    out.write_bytes(b"as before")
    assert main(["fuse", str(room), "--voxel", "0.03", "--out", str(out)]) == 130
    assert out.read_bytes() == b"as before"
    assert [p.name for p in tmp_path.iterdir()] == ["room.ply"]

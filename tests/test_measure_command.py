"""`cheval measure`: files in, files out, and one clear line for everything that is no mesh of a person."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import trimesh
from shapes import sphere
from test_registration import skin_of, stranger

from game.assets import load_body_model
from game.commands import measure
from game.measurements import MeasurementEntry, MeasurementReport, read_report, to_json, write_report
from game.mesh_file import load_surface
from solver.errors import InputError, NotAPersonError, UsageError
from solver.measures import DEFINITIONS

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "schemas" / "measurements.schema.json").read_text())
GARMENTCODE = Path(__file__).resolve().parents[2] / "shared" / "data" / "garmentcode"


def run(*arguments):
    parser = argparse.ArgumentParser()
    measure.add_arguments(parser)
    return measure.run(parser.parse_args([str(argument) for argument in arguments]))


def a_report(**changes):
    entries = {"height": MeasurementEntry(1751.2, 1.9, "height", "ISO 8559-1 5.1.1")}
    entries["waist_girth"] = MeasurementEntry(842.0, 4.0, "large girth")
    content = {
        "measurements": entries,
        "missing": {"calf_girth": "too little was seen of: calf l"},
        "pose": "A",
        "coverage": 0.97,
        "rmse_mm": 2.1,
        "source": {"kind": "simulated", "frames": 240, "seconds": 9.6},
    }
    return MeasurementReport(**(content | changes))


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    model = load_body_model()
    vertices, _ = stranger(model, 110, 45.0)
    mesh = trimesh.Trimesh(vertices, skin_of(model), process=False)
    return mesh, tmp_path_factory.mktemp("meshes")


def test_measures_a_mesh_from_end_to_end(person, capsys):
    mesh, folder = person
    path = folder / "person.ply"
    mesh.export(path)
    assert run(path, "--json", "--out", folder / "m.json") == 0
    printed = json.loads(capsys.readouterr().out)
    jsonschema.validate(printed, SCHEMA)
    assert printed["source"]["file"] == "person.ply"
    assert json.loads((folder / "m.json").read_text()) == printed
    report = read_report(folder / "m.json")
    assert set(report.measurements) | set(report.missing) == set(DEFINITIONS)
    height = 1e3 * np.ptp(mesh.vertices[:, 2])
    assert report.value("height") == pytest.approx(height, abs=5.0)


def test_report_survives_writing_and_reading(tmp_path):
    report = a_report()
    write_report(tmp_path / "m.json", report)
    jsonschema.validate(json.loads((tmp_path / "m.json").read_text()), SCHEMA)
    assert read_report(tmp_path / "m.json") == report
    with pytest.raises(InputError, match="too little was seen"):
        report.value("calf_girth")


def test_csv_has_a_row_for_every_measure(tmp_path):
    write_report(tmp_path / "m.csv", a_report())
    with (tmp_path / "m.csv").open(encoding="utf-8") as stream:
        rows = {row["key"]: row for row in csv.DictReader(stream)}
    assert rows["waist_girth"]["value"] == "842.0"
    assert rows["calf_girth"]["missing"].startswith("too little")
    assert rows["height"]["iso"] == "ISO 8559-1 5.1.1"


def test_every_key_is_in_the_schema():
    assert SCHEMA["$defs"]["key"]["enum"] == list(DEFINITIONS)
    classes = {definition.class_ for definition in DEFINITIONS.values()}
    assert classes == set(SCHEMA["$defs"]["measure"]["properties"]["class"]["enum"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(to_json(a_report(pose="lying")), SCHEMA)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c.update(version=9), "version"),
        (lambda c: c.update(unit="cm"), "unit"),
        (lambda c: c.pop("surface"), "surface is missing"),
        (lambda c: c["measurements"]["height"].update(value="tall"), "height"),
        (lambda c: c["measurements"]["height"].update(value=-3), "height"),
        (lambda c: c["measurements"]["height"].pop("std"), "std is missing"),
        (lambda c: c["subject"].update(pose="lying"), "pose"),
        (lambda c: c.update(measurements=[1]), "measurements"),
    ],
)
def test_reading_names_what_is_wrong(tmp_path, change, complaint):
    content = to_json(a_report())
    change(content)
    (tmp_path / "m.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"m\.json") as error:
        read_report(tmp_path / "m.json")
    if complaint != "measurements":
        assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_reading_what_is_no_json(tmp_path):
    (tmp_path / "m.json").write_bytes(b"\x00\xff{")
    with pytest.raises(InputError, match=r"m\.json"):
        read_report(tmp_path / "m.json")
    with pytest.raises(InputError, match="check the path"):
        read_report(tmp_path / "nothing.json")


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl", ".glb"])
def test_reads_every_format(person, suffix):
    mesh, folder = person
    path = folder / f"body{suffix}"
    mesh.export(path)
    surface = load_surface(path)
    assert surface.faces is not None
    assert len(surface.faces) == len(mesh.faces)
    np.testing.assert_allclose(np.ptp(surface.vertices, axis=0), np.ptp(mesh.vertices, axis=0), rtol=1e-5)


def test_parts_of_a_scene_are_placed_and_merged(person):
    mesh, folder = person
    half = len(mesh.faces) // 2
    scene = trimesh.Scene()
    scene.add_geometry(mesh.submesh([np.arange(half)], append=True))
    up = trimesh.transformations.translation_matrix((0.0, 0.0, 5.0))
    scene.add_geometry(mesh.submesh([np.arange(half, len(mesh.faces))], append=True), transform=up)
    path = folder / "scene.glb"
    scene.export(path)
    surface = load_surface(path)
    assert surface.faces is not None
    assert len(surface.faces) == len(mesh.faces)
    assert np.ptp(surface.vertices[:, 2]) > 5.0


def test_reads_a_cloud(tmp_path):
    points = sphere(0.5)[0]
    trimesh.PointCloud(points).export(tmp_path / "cloud.ply")
    surface = load_surface(tmp_path / "cloud.ply")
    assert surface.faces is None
    assert len(surface.vertices) == len(points)


def write_bad(folder, kind):
    path = folder / f"{kind}.obj"
    vertices, faces = sphere(0.5)
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    if kind == "empty":
        lines = []
    elif kind == "vertices_only":
        lines = lines[:50]
    elif kind == "not_finite":
        lines[3] = "v nan 0 inf"
    elif kind == "garbage":
        path = path.with_suffix(".glb")
        path.write_bytes(b"not a mesh at all" * 10)
        return path
    elif kind == "tiny":
        lines = ["v 0 0 0", "v 1 0 0", "v 0 1 0", "f 1 2 3"]
    elif kind == "picture":
        path = path.with_suffix(".png")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("kind", ["empty", "vertices_only", "not_finite", "garbage", "tiny", "picture"])
def test_bad_meshes_get_one_clear_line(tmp_path, kind):
    path = write_bad(tmp_path, kind)
    with pytest.raises(InputError) as error:
        run(path, "--out", tmp_path / "out.json")
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 3
    assert not (tmp_path / "out.json").exists()


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="check the path"):
        run(tmp_path / "nobody.obj")
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        run(tmp_path / "folder.obj")


def test_a_ball_is_no_person_and_leaves_nothing(tmp_path):
    trimesh.Trimesh(*sphere(0.9), process=False).export(tmp_path / "ball.ply")
    with pytest.raises(NotAPersonError, match=r"ball\.ply"):
        run(tmp_path / "ball.ply", "--out", tmp_path / "out.json")
    assert [path.name for path in tmp_path.iterdir()] == ["ball.ply"]


@pytest.mark.parametrize("name", ["out.smis", "out.yaml", "out.txt", "out"])
def test_unknown_output_formats_are_wrong_usage(tmp_path, name):
    with pytest.raises(UsageError) as error:
        run(tmp_path / "person.obj", "--out", tmp_path / name)
    assert error.value.exit_status == 2


@pytest.mark.slow
def test_a_foreign_body_measures_as_its_makers_say():
    """GarmentCode's average body (another topology, y up): its own dimensions, in cm, beside the mesh."""
    if not GARMENTCODE.exists():
        pytest.skip("no GarmentCode body beside this checkout")
    from solver.registration import register_body
    from solver.standing_measures import measure_registered

    stated = dict(
        line.split(":") for line in (GARMENTCODE / "mean_all.yaml").read_text().splitlines()[1:] if ":" in line
    )
    stated = {key.strip(): 10.0 * float(value) for key, value in stated.items()}
    model = load_body_model()
    measures, stance = measure_registered(model, register_body(model, *load_surface(GARMENTCODE / "mean_all.obj")))
    assert stance.name == "A"
    pairs = {"height": "height", "chest_girth": "bust", "waist_girth": "waist", "hip_girth": "hips"}
    pairs |= {"underbust_girth": "underbust", "wrist_girth": "wrist"}
    for key, name in pairs.items():
        assert measures[key].value_mm == pytest.approx(stated[name], rel=0.025), key

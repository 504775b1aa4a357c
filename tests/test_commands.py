"""The command line as other programs call it: exit statuses, one line for people, nothing half-written."""

import json

import pytest

from main import main


def run(capsys, *words):
    status = main(list(words))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def the_line(err):
    lines = [line for line in err.splitlines() if line.startswith("cheval")]
    assert len(lines) == 1, err
    return lines[0]


def test_unknown_command_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["fly"])
    assert ended.value.code == 2


@pytest.mark.parametrize("command", ["mirror", "demo", "scan", "measure", "profile", "record", "bench", "doctor"])
def test_help_has_examples(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"cheval {command}" in capsys.readouterr().out.split("examples:")[1]


@pytest.mark.parametrize("name", ["gone.db3", "gone.bag", "gone"])
def test_missing_source_is_named(capsys, tmp_path, name):
    status, out, err = run(capsys, "scan", str(tmp_path / name), "--out", str(tmp_path / "scan"))
    assert status == 3
    assert out == ""
    assert name in the_line(err)
    assert not (tmp_path / "scan").exists()


def test_unknown_simulation_option_names_the_known_ones(capsys, tmp_path):
    status, _, err = run(capsys, "scan", "sim:shoes=red", "--out", str(tmp_path / "scan"))
    assert status == 2
    assert "shoes" in the_line(err)
    assert "seed" in the_line(err)


def test_empty_folder_is_no_recording(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = run(capsys, "scan", str(tmp_path / "empty"), "--out", str(tmp_path / "scan"))
    assert status == 3
    assert "empty" in the_line(err)
    assert not (tmp_path / "scan").exists()


@pytest.mark.parametrize("fault", ["nobody", "chair", "rack"])
def test_no_person_is_refused_and_nothing_written(capsys, tmp_path, fault):
    out_dir = tmp_path / "scan"
    status, out, err = run(capsys, "scan", f"sim:visit=scan,fault={fault},fps=3", "--out", str(out_dir), "--json")
    assert status == 3
    assert out == ""
    the_line(err)
    assert not out_dir.exists()


def test_lost_camera_has_its_own_status(capsys, tmp_path):
    out_dir = tmp_path / "scan"
    status, _, err = run(capsys, "scan", "sim:visit=scan,fault=disconnect,at=0.5,fps=4", "--out", str(out_dir))
    assert status == 4
    assert "camera" in the_line(err)
    assert not out_dir.exists()


def test_doctor_prints_one_json_object(capsys):
    status, out, _ = run(capsys, "doctor", "--json")
    findings = json.loads(out)
    assert status == (0 if findings["ok"] else 3)
    assert {"python", "body model", "graphics", "camera"} <= {finding["name"] for finding in findings["findings"]}


def test_benchmarks_are_listed(capsys):
    status, out, _ = run(capsys, "bench", "--json")
    assert status == 0
    assert {"accuracy", "loop"} <= set(json.loads(out)["benchmarks"])


def test_unknown_benchmark_is_wrong_usage(capsys):
    status, _, err = run(capsys, "bench", "nothing")
    assert status == 2
    assert "accuracy" in the_line(err)


@pytest.mark.parametrize("command", ["demo", "mirror"])
def test_a_visit_from_a_source_that_is_not_there(capsys, tmp_path, command):
    words = ["--out", str(tmp_path / "visit")] if command == "demo" else ["--headless", "--frames", "1"]
    status, out, err = run(capsys, command, "--source", str(tmp_path / "gone.db3"), *words)
    assert status == 3
    assert out == ""
    assert "gone.db3" in the_line(err)
    assert not (tmp_path / "visit").exists()


@pytest.mark.slow
def test_a_demonstration_before_an_empty_room_ends_by_itself(capsys, tmp_path):
    status, out, err = run(capsys, "demo", "--source", "sim:fault=nobody,fps=4", "--out", str(tmp_path / "visit"))
    assert status == 3
    assert out == ""
    assert "nobody was scanned" in the_line(err)
    assert not (tmp_path / "visit").exists()


@pytest.mark.slow
def test_a_demonstration_leaves_everything_it_says(capsys, tmp_path):
    place = tmp_path / "visit"
    status, out, _ = run(capsys, "demo", "--source", "sim:seed=12,fps=10,seconds=7", "--out", str(place), "--json")
    assert status == 0
    result = json.loads(out)
    files = {path.name for path in place.iterdir()}
    wanted = {"measurements.json", "body.ply", "body.glb", "outfit.glb", "report.png", "visit.mp4", "profiles.db"}
    assert files >= wanted
    assert set(result["files"]) == files
    shown = {name.split("_", 1)[1].removesuffix(".png") for name in files if name[0].isdigit()}
    assert shown >= {"attract", "consent", "scan", "refining", "reveal", "mirror_live", "keep", "kept", "goodbye"}
    assert sum(name.startswith("mirror_") for name in shown) >= 4
    assert 1.4 < result["measurements"]["height"]["value"] / 1000 < 2.1
    assert result["profile"].encode() not in (place / "profiles.db").read_bytes()

"""`cheval profile` from a scan's folder to a profile, away as an age file, and back."""

import functools
import io
import json
import subprocess
from types import MappingProxyType

import jsonschema
import numpy as np
import pytest
import trimesh

from capture.source import SourceInfo
from game.appearance import paint_body
from game.assets import load_body_model
from game.commands import profile as command
from game.export.glb import write_body_glb
from game.files import write_json
from game.measurements import read_report, to_json
from game.profiles.body_glb import read_body_glb
from game.profiles.folder import FILES, canonical_vertices, read_scan_folder, write_profile_folder
from game.profiles.profile import Profile
from game.profiles.store import ProfileStore
from game.scan import Scan
from main import main
from solver.atlas.color_atlas import ColorAtlas
from solver.body import shape_body
from solver.errors import InputError
from solver.measures import Measurement, Measurements
from solver.refinement import Reconstruction
from solver.types import Ground, Intrinsics, Mesh, read_only
from tests.profiles import NOW, PASSPHRASE, WEAK, make_profile, same, secret
from tests.test_house import ROOT

MODEL = load_body_model()


def schema(name):
    return jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text()))


@pytest.fixture(scope="module")
def body():
    """A person beyond the shape space, in colours that vary slowly over the skin."""
    rng = np.random.default_rng(4)
    shape = 0.7 * rng.normal(size=MODEL.shape_count)
    rest = shape_body(MODEL, shape)
    rest.vertices[:] += 0.002 * np.sin(40.0 * rest.vertices[:, ::-1])
    colors = (127.5 + 100.0 * np.sin(5.0 * rest.vertices + (0.0, 1.0, 2.0))).astype(np.uint8)
    return shape, rest, colors


@pytest.fixture(scope="module")
def scanned(body, tmp_path_factory):
    """A folder as `cheval scan` leaves it."""
    shape, rest, colors = body
    folder = tmp_path_factory.mktemp("scan")
    write_body_glb(folder / "body.glb", MODEL, rest, paint_body(MODEL, rest, scanned=colors), shape=shape)
    write_json(folder / "measurements.json", to_json(make_profile().measurements))
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a secret and a store of cheap key derivation; the current one."""
    monkeypatch.setattr(command, "ProfileStore", functools.partial(ProfileStore, cost=WEAK))
    monkeypatch.chdir(tmp_path)
    for name, text in (("secret", PASSPHRASE), ("other", "another horse battery")):
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def call(capsys, *words, status=0):
    """Runs `cheval profile` with the store of the test; returns stdout and what was said on stderr."""
    assert main(["profile", "--store", "store.db", *map(str, words)]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def refused(capsys, *words, status=3):
    out, err = call(capsys, *words, status=status)
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("cheval profile: ")]
    assert len(lines) == 1, err
    return lines[0]


def test_from_a_scan_and_back(capsys, place, scanned, body):
    shape, rest, colors = body
    out, err = call(capsys, "save", scanned, "--secret-file", "secret")
    profile_id = out.strip()
    assert "\n" not in profile_id
    assert "erased on" in err
    out, _ = call(capsys, "list")
    assert profile_id in out
    call(capsys, "open", profile_id, "--secret-file", "secret", "--out", "me")
    assert sorted(one.name for one in (place / "me").iterdir()) == sorted(FILES)
    assert (place / "me" / "measurements.json").read_bytes() == (scanned / "measurements.json").read_bytes()
    schema("profile").validate(json.loads((place / "me" / "profile.json").read_text()))
    again = read_body_glb(place / "me" / "body.glb", MODEL)
    assert np.array_equal(again.rest.vertices, rest.vertices)
    assert np.allclose(again.rest.joints, rest.joints, atol=1e-7)
    assert np.array_equal(again.shape, shape)
    skin = ~MODEL.in_region("eyes", "irises", "pupils", "mouth_inside")
    off = np.abs(again.vertex_colors.astype(int) - colors)[skin].max(1)
    assert np.percentile(off, 95) <= 6, "colours went through a texture twice"
    mesh = trimesh.load(place / "me" / "body.ply", process=False)
    assert np.allclose(mesh.vertices, canonical_vertices(MODEL, rest), atol=1e-6)
    assert mesh.bounds[0, 2] == pytest.approx(0.0, abs=0.01)


def test_away_as_age_and_back(capsys, place, scanned):
    profile_id = call(capsys, "save", scanned, "--secret-file", "secret", "--days", "3")[0].strip()
    call(capsys, "export", profile_id[:8], "me.age", "--secret-file", "secret")
    assert (place / "me.age").stat().st_mode & 0o777 == 0o600
    assert (place / "me.age").read_bytes().startswith(b"age-encryption.org/v1\n-> scrypt ")
    call(capsys, "delete", profile_id)
    assert "no profiles" in call(capsys, "list")[0]
    arrived = call(capsys, "import", "me.age", "--secret-file", "secret")[0].strip()
    assert arrived != profile_id
    store = ProfileStore("store.db")
    before = read_scan_folder(scanned, MODEL, make_profile().consent, NOW, NOW + 1)
    assert np.array_equal(store.open(arrived, secret()).rest.vertices, before.rest.vertices)


def test_an_export_under_a_passphrase_of_its_own(capsys, place, scanned):
    pyrage = pytest.importorskip("pyrage", reason="pyrage is not installed: no cross-check of exports")
    profile_id = call(capsys, "save", scanned, "--secret-file", "secret")[0].strip()
    out, _ = call(capsys, "export", profile_id, "me.age", "--secret-file", "secret", "--generate", "--json")
    code = json.loads(out)["secret"]
    tar = pyrage.passphrase.decrypt((place / "me.age").read_bytes(), code)
    assert b"chest_girth" in tar
    listing = subprocess.run(["tar", "-t"], input=tar, capture_output=True, check=True).stdout.decode().split()
    assert listing[:2] == ["profile.json", "measurements.json"]
    (place / "code").write_text(code.lower().replace("-", " "))
    (place / "code").chmod(0o600)
    call(capsys, "import", "me.age", "--secret-file", "code", "--new-secret-file", "other")


def test_generated_secrets(capsys, place, scanned):
    out, _ = call(capsys, "save", scanned, "--generate")
    profile_id, line = out.splitlines()
    (place / "code").write_text(line.removeprefix("secret: "))
    (place / "code").chmod(0o600)
    out, _ = call(capsys, "rekey", profile_id, "--secret-file", "code", "--new-secret-file", "secret", "--reencrypt")
    assert "only the new" in out
    call(capsys, "verify", profile_id, "--secret-file", "secret")
    assert "wrong" in call(capsys, "verify", profile_id, "--secret-file", "code", status=3)[0]
    call(capsys, "rekey", profile_id, "--secret-file", "secret", "--new-secret-file", "other", "--add")
    for name in ("secret", "other"):
        call(capsys, "verify", profile_id, "--secret-file", name)


def test_json(capsys, place, scanned):
    saved = json.loads(call(capsys, "save", scanned, "--secret-file", "secret", "--json")[0])
    listed = json.loads(call(capsys, "list", "--json")[0])
    assert listed["profiles"][0]["id"] == saved["id"]
    assert listed["profiles"][0]["expires_at"] == saved["expires_at"]
    assert json.loads(call(capsys, "verify", "--json")[0])["damaged"] == 0
    assert json.loads(call(capsys, "purge", "--json")[0]) == {"purged": []}
    assert json.loads(call(capsys, "delete", saved["id"], "--json")[0]) == {"deleted": saved["id"]}
    assert json.loads(main_with_json_first(capsys))["profiles"] == []


def main_with_json_first(capsys):
    assert main(["profile", "--json", "--store", "sqlite:///store.db", "list"]) == 0
    return capsys.readouterr().out


def test_damage_gives_status_3_and_says_which(capsys, place, scanned):
    import sqlite3

    profile_id = call(capsys, "save", scanned, "--secret-file", "secret")[0].strip()
    with sqlite3.connect("store.db") as db:
        data = bytearray(db.execute("SELECT envelope FROM profile").fetchone()[0])
        data[-1] ^= 1
        db.execute("UPDATE profile SET envelope = ?", (bytes(data),))
    db.close()
    out, err = call(capsys, "verify", status=3)
    assert profile_id[:8] in out
    assert "1 of 1 profiles are damaged" in err


def test_what_is_wrong_is_said_in_one_line(capsys, place, scanned):
    profile_id = call(capsys, "save", scanned, "--secret-file", "secret")[0].strip()
    assert "secret is wrong" in refused(capsys, "open", profile_id, "--secret-file", "other", "--out", "me")
    assert not (place / "me").exists()
    assert "deadbeef" in refused(capsys, "open", "deadbeef", "--secret-file", "secret")
    assert "gone" in refused(capsys, "save", "gone", "--secret-file", "secret")
    assert "gone.age" in refused(capsys, "import", "gone.age", "--secret-file", "secret")
    (place / "notes.age").write_text("notes")
    assert "no age file" in refused(capsys, "import", "notes.age", "--secret-file", "secret")
    assert "secret" in refused(capsys, "open", profile_id, "--secret-file", "gone")
    (place / "pin").write_text("123456")
    assert "too short" in refused(capsys, "rekey", profile_id, "--secret-file", "secret", "--new-secret-file", "pin")
    assert "give the id" in refused(capsys, "verify", "--secret-file", "secret", status=2)
    assert "choose" in refused(capsys, "save", scanned, "--secret-file", "secret", "--generate", status=2)


def test_without_a_terminal_nobody_is_asked(capsys, place, scanned, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert "--secret-file" in refused(capsys, "save", scanned, status=2)
    assert not (place / "store.db").exists()


def test_on_a_terminal_the_secret_is_asked_for(capsys, place, scanned, monkeypatch):
    asked = []

    def getpass(prompt):
        asked.append(prompt)
        return PASSPHRASE

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", getpass)
    profile_id = call(capsys, "save", scanned)[0].strip()
    call(capsys, "verify", profile_id, "--secret-file", "secret")
    assert asked == ["new secret: ", "once more: "]


@pytest.mark.parametrize(
    "words", [("--store", "http://host/p.db", "list"), ("frobnicate",), ("save", "x", "--days", "31")]
)
def test_wrong_usage(capsys, place, words):
    try:
        status = main(["profile", *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 2


@pytest.mark.parametrize("action", ["list", "save", "open", "export", "import", "delete", "rekey", "verify", "purge"])
def test_every_action_has_help_with_an_example(capsys, action):
    with pytest.raises(SystemExit) as ended:
        main(["profile", action, "--help"])
    assert ended.value.code == 0
    assert f"cheval profile {action}" in capsys.readouterr().out.split("examples:")[1]


# ------------------------------------------------------------------ bodies


def make_scan(body):
    """A finished scan of `body`, as far as a profile looks at it."""
    shape, rest, colors = body
    vertices = canonical_vertices(MODEL, rest)
    reconstruction = Reconstruction(
        surface=Mesh(vertices, MODEL.faces),
        surface_coverage=np.ones(len(vertices), np.float32),
        vertices=vertices,
        rest=rest,
        shape=shape,
        coverage=np.ones(len(vertices), np.float32),
        part_coverage={},
        atlas=ColorAtlas(read_only(np.full((8, 8, 3), 90, np.uint8)), np.full((8, 8), 255, np.uint8), colors),
        standing=vertices,
        height_m=1.7512,
        height_std_m=0.002,
        rmse_m=0.0021,
        keyframe_count=24,
        turn_seen=1.0,
        unseen_turn=(0.0, 0.17),
        seconds=MappingProxyType({}),
    )
    height = Measurement("height", 1751.2, 1.9, "height", "ISO 8559-1 5.1.1", None, ())
    info = SourceInfo("simulated", "sim:", "", Intrinsics(8, 8, 8.0, 8.0, 4.0, 4.0), None, 15.0, False, 240)
    ground = Ground(np.eye(4), 0.001, 0.9)
    return Scan(ground, reconstruction, Measurements({"height": height}, {}), info, 240, 9.6, 6.3, {})


def test_from_a_scan_in_memory(place, body):
    """As the live mirror does it."""
    scan = make_scan(body)
    kept = make_profile()
    profile = Profile.from_scan(scan, MODEL, kept.consent, NOW, NOW + 1000, kept.outfit)
    store = ProfileStore("store.db", cost=WEAK, clock=lambda: NOW)
    again = store.open(store.save(profile, secret()), secret())
    assert same(profile, again)
    again.check_model(MODEL)
    assert again.measurements.value("height") == 1751.2
    assert again.outfit == kept.outfit
    assert np.array_equal(again.vertices, scan.reconstruction.vertices)
    assert np.array_equal(again.atlas, scan.reconstruction.atlas.color)


def test_writing_fails_whole(tmp_path, body, monkeypatch):
    profile = Profile.from_scan(make_scan(body), MODEL, make_profile().consent, NOW, NOW + 1000)
    out = tmp_path / "me"

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("game.profiles.folder.write_body_glb", fail)
    with pytest.raises(InputError, match="No space left"):
        write_profile_folder(out, profile, MODEL)
    assert list(out.iterdir()) == []


def test_bodies_without_a_camera_have_no_colours(tmp_path, body):
    shape, rest, _ = body
    write_body_glb(tmp_path / "body.glb", MODEL, rest, paint_body(MODEL, rest), texture_size=64, shape=shape)
    assert read_body_glb(tmp_path / "body.glb", MODEL).vertex_colors is None


@pytest.fixture(scope="module")
def good(body, tmp_path_factory):
    """A body.glb with a small texture."""
    shape, rest, colors = body
    path = tmp_path_factory.mktemp("small") / "body.glb"
    write_body_glb(path, MODEL, rest, paint_body(MODEL, rest, scanned=colors), texture_size=64, shape=shape)
    return path.read_bytes()


class TestStrangersBodies:
    def refuse(self, tmp_path, data):
        path = tmp_path / "body.glb"
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"body\.glb"):
            read_body_glb(path, MODEL)

    @pytest.mark.parametrize("size", [0, 3, 12, 19, 20, 400, 5000, 100_000, -1])
    def test_cut(self, tmp_path, good, size):
        self.refuse(tmp_path, good[:size])

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"shape":[', b'"shapf":['),
            (b'"shape":[', b'"shape":{'),
            (b'"name":"body"', b'"name":"bodz"'),
            (b'"count":52', b'"count":53'),
            (b'"count":14898', b'"count":99999'),
            (b'"bufferView":0', b'"bufferView":9'),
            (b"glTF", b"glTG"),
            (b"\x89PNG", b"\x88PNG"),
            (b"IHDR\x00", b"IHDR\x7f"),
        ],
    )
    def test_bent(self, tmp_path, good, old, new):
        assert old in good
        self.refuse(tmp_path, good.replace(old, new))

    def test_numbers_that_no_body_has(self, tmp_path, good):
        begin = 28 + int.from_bytes(good[12:16], "little")
        # The texture is the first view, positions the next.
        content = json.loads(good[20 : begin - 8])
        mesh = content["meshes"][0]["primitives"][0]
        at = (
            begin
            + content["bufferViews"][content["accessors"][mesh["attributes"]["POSITION"]]["bufferView"]]["byteOffset"]
        )
        for value in (np.nan, np.inf, 5e4):
            self.refuse(tmp_path, good[:at] + np.float32(value).tobytes() + good[at + 4 :])

    def test_bodies_of_others(self, tmp_path):
        trimesh.creation.icosphere().export(tmp_path / "ball.glb")
        self.refuse(tmp_path, (tmp_path / "ball.glb").read_bytes())
        with pytest.raises(InputError, match="cheval scan"):
            read_body_glb(tmp_path / "gone.glb", MODEL)


def test_a_folder_without_measures(capsys, place, scanned):
    (place / "half").mkdir()
    (place / "half" / "body.glb").write_bytes((scanned / "body.glb").read_bytes())
    assert "measurements.json" in refused(capsys, "save", "half", "--secret-file", "secret")
    assert read_report(scanned / "measurements.json").value("height") == 1751.2

"""What a profile holds, its archive, consent and secrets."""

import io
import json
import pickle
import tarfile

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game.profiles.archive import from_npy, read_archive, write_archive
from game.profiles.consent import SAVING_NOTICE, Consent
from game.profiles.errors import ContentError, NewerVersionError, OtherBodyModelError, ProfileError, WeakSecretError
from game.profiles.profile import Profile
from game.profiles.secret import ALPHABET, Secret
from solver.errors import InputError, UsageError
from tests.profiles import NOW, make_profile, same
from tests.test_house import ROOT

SCHEMA = json.loads((ROOT / "docs" / "schemas" / "profile.schema.json").read_text())


def members_of(profile):
    return {name: bytes(content) for name, content in read_archive(profile.encode(), "p").items()}


def decode(members):
    return Profile.decode(write_archive(members))


def with_json(member="profile.json", **changes):
    """The archive of a good profile with entries of a JSON member replaced; a.b stands for b in a."""
    members = members_of(make_profile())
    content = json.loads(members[member])
    for path, value in changes.items():
        *outer, last = path.split("__")
        place = content
        for key in outer:
            place = place[key]
        place[last] = value
    members[member] = json.dumps(content).encode()
    return members


def test_what_is_encoded_is_decoded():
    profile = make_profile()
    again = Profile.decode(profile.encode())
    assert same(profile, again)
    assert profile.encode() == again.encode()
    assert not again.rest.vertices.flags.writeable


def test_a_body_without_colours_and_outfit():
    members = members_of(make_profile())
    del members["vertex_colors.npy"]
    content = json.loads(members["profile.json"])
    content["body"]["colored"], content["outfit"] = False, []
    members["profile.json"] = json.dumps(content).encode()
    profile = decode(members)
    assert profile.vertex_colors is None
    assert same(profile, Profile.decode(profile.encode()))


def test_profiles_from_before_the_atlas_are_read():
    members = members_of(make_profile())
    del members["atlas.npy"]
    content = json.loads(members["profile.json"])
    content["version"] = 1
    del content["body"]["texels"]
    members["profile.json"] = json.dumps(content).encode()
    profile = decode(members)
    assert profile.atlas is None
    assert profile.vertex_colors is not None
    assert same(profile, Profile.decode(profile.encode()))


def test_any_tar_unpacks_it_and_numpy_reads_it():
    profile = make_profile()
    with tarfile.open(fileobj=io.BytesIO(bytes(profile.encode()))) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    assert np.array_equal(np.load(io.BytesIO(files["rest_vertices.npy"]), allow_pickle=False), profile.rest.vertices)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(files["profile.json"]))
    measurements = json.loads((ROOT / "docs" / "schemas" / "measurements.schema.json").read_text())
    jsonschema.Draft202012Validator(measurements).validate(json.loads(files["measurements.json"]))


def test_bodies_have_one_size_whatever_they_measure():
    sizes = {len(make_profile(seed, vertices=13_718, joints=52, coefficients=80).encode()) for seed in (0, 3, 9000)}
    assert len(sizes) == 1


def test_wiping_leaves_zeros():
    archive = make_profile().encode()
    profile = Profile.decode(archive)
    assert b"chest_girth" not in archive
    profile.wipe()
    for array in profile._arrays().values():
        assert not array.any()
    # Names and array headers of the archive are all that is left.
    assert b"Ottoline" not in archive
    assert bytes(archive).count(0) > 0.85 * len(archive)


def test_a_refused_archive_is_zeroed():
    archive = write_archive(with_json(expires_at=-1))
    with pytest.raises(ContentError):
        Profile.decode(archive)
    assert not any(archive)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"created_at": 1.5},
        {"created_at": -1},
        {"expires_at": NOW - 1},
        {"expires_at": 10**30},
        {"consent": None},
        {"consent__given": "assumed"},
        {"consent__purposes": "all"},
        {"consent__text_version": "v" * 100},
        {"outfit": {}},
        {"outfit": [{}]},
        {"outfit": [None] * 21},
        {"body__vertices": 6},
        {"body__vertices": 0},
        {"body__vertices": 10**9},
        {"body__joints": "2"},
        {"body__coefficients": 10**400},
        {"body__colored": False},
        {"body__colored": 1},
        {"body__texels": 0},
        {"body__texels": 3},
        {"body__texels": 5000},
        {"body__texels": None},
        {"body__topology": ["a"]},
        {"body": []},
    ],
)
def test_content_that_is_none_is_refused(changes):
    with pytest.raises(ContentError):
        decode(with_json(**changes))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"version": NaN}',
        b'{"version": 1, "body": Infinity}',
        b"1" * 5000,
        b" " * (1 << 19),
    ],
)
@pytest.mark.parametrize("member", ["profile.json", "measurements.json"])
def test_json_that_is_none_is_refused(member, text):
    members = members_of(make_profile())
    members[member] = text
    with pytest.raises(ContentError):
        decode(members)


def test_measures_that_are_none_are_refused():
    for value in (-1.0, 10**400, "12", None, True):
        members = with_json("measurements.json", measurements={"height": {"value": value, "std": 1, "class": "height"}})
        with pytest.raises(ContentError):
            decode(members)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
@pytest.mark.parametrize("member", ["shape.npy", "rest_vertices.npy", "rest_joints.npy", "canonical_vertices.npy"])
def test_numbers_that_no_body_has_are_refused(member, value):
    profile = make_profile()
    members = members_of(profile)
    array = np.load(io.BytesIO(members[member])).copy()
    array.flat[-1] = value
    members[member] = array
    with pytest.raises(ContentError):
        decode(members)


def test_members_too_many_or_too_few_are_refused():
    for change in ("missing", "more", "pickle"):
        members = members_of(make_profile())
        if change == "missing":
            del members["shape.npy"]
        elif change == "more":
            members["more.json"] = b"{}"
        else:
            members["shape.npy"] = pickle.dumps([1])
        with pytest.raises(ContentError):
            decode(members)


def test_a_later_profile_is_named():
    with pytest.raises(NewerVersionError):
        decode(with_json(version=3))


def test_what_json_cannot_say_is_not_sealed():
    profile = make_profile()
    bad = profile.measurements.source | {"seconds": float("nan")}
    profile.measurements.source.update(bad)
    with pytest.raises(ContentError):
        profile.encode()


def test_another_body_model_is_refused():
    from game.assets import load_body_model

    with pytest.raises(OtherBodyModelError):
        make_profile().check_model(load_body_model())


ARCHIVE = bytes(make_profile().encode())


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_bent_archives_are_read_or_refused(edits):
    archive = bytearray(ARCHIVE)
    for place, value in edits:
        archive[place] = value
    try:
        profile = Profile.decode(archive)
    except ProfileError:
        return
    # What was accepted is a profile that can be sealed again.
    assert Profile.decode(profile.encode())


@given(st.integers(0, len(ARCHIVE)))
def test_cut_archives_are_refused(size):
    if size != len(ARCHIVE):
        with pytest.raises(ContentError):
            Profile.decode(bytearray(ARCHIVE[:size]))


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,60}\.(json|npy)", fullmatch=True), st.binary(max_size=1200), max_size=8)
)
def test_archives_hold_what_they_were_given(members):
    assert {name: bytes(content) for name, content in read_archive(write_archive(members), "a").items()} == members


def test_other_tars_are_refused():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        link = tarfile.TarInfo("profile.json")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        tar.addfile(link)
    with pytest.raises(ContentError):
        read_archive(stream.getvalue(), "a")
    for name in ("../profile.json", "/profile.json", "profile.py"):
        with pytest.raises(ContentError):
            read_archive(write_archive({name: b"{}"}), "a")


def test_arrays_are_views():
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    data = write_archive({"a.npy": array})
    view = from_npy(read_archive(data, "a")["a.npy"], np.float32, (4, 3), "a")
    assert np.array_equal(view, array)
    data[512 + 128 : 512 + 132] = np.float32(7.0).tobytes()
    assert view[0, 0] == 7.0


class TestConsent:
    def test_the_very_words_are_bound(self):
        words = SAVING_NOTICE.format(day="2027-02-14")
        consent = Consent.to(words, "1", ("keep",), NOW)
        assert consent != Consent.to(words + ".", "1", ("keep",), NOW)
        assert consent.to_json()["text_version"] == "1"
        assert len(consent.text_sha256) == 64


class TestSecret:
    def test_codes_carry_128_bits(self):
        code = Secret.generate(lambda count: bytes(range(count)))
        assert code.is_code
        # Cards that were printed must open for ever.
        assert code.text == "000G-40R4-0M30-E209-185G-R38E-1YZ4"
        assert len({Secret.generate().text for _ in range(50)}) == 50

    @given(st.binary(min_size=16, max_size=16), st.randoms(use_true_random=False))
    def test_codes_may_be_typed_carelessly(self, data, random):
        code = Secret.generate(lambda _: data)
        typed = "".join(random.choice((c, c.lower())) for c in code.text.replace("-", random.choice(("", " ", "-"))))
        typed = typed.replace("0", random.choice("0oO")).replace("1", random.choice("1iIlL"))
        assert Secret(typed).view == code.view

    def test_slips_are_noticed(self):
        """One of 4096 slips would pass for another code; all others make it a passphrase that opens nothing."""
        code = Secret.generate(lambda count: bytes(range(count))).text.replace("-", "")
        slips = [code[:i] + letter + code[i + 1 :] for i in range(28) for letter in ALPHABET if letter != code[i]]
        assert sum(Secret(slip).is_code for slip in slips) <= 3

    def test_it_does_not_show_itself(self):
        secret = Secret("correct horse battery")
        assert "horse" not in repr(secret)
        with pytest.raises(TypeError):
            pickle.dumps(secret)

    def test_wiping(self):
        with Secret("correct horse battery") as secret:
            view = secret.view
            assert bytes(view) == b"correct horse battery"
        assert not any(view)
        assert secret.text == ""

    def test_composed_and_decomposed_letters_are_the_same(self):
        assert Secret("Grün und größer").view == Secret("Gru\u0308n und größer").view

    @pytest.mark.parametrize("text", ["", "x" * 1025, "a\ud800"])
    def test_what_is_no_secret(self, text):
        with pytest.raises(InputError):
            Secret(text)

    @pytest.mark.parametrize("text", ["1234", "123456", "password", "aaaaaaaaaaaaaa", "0123456789012345"])
    def test_pins_and_short_words_are_refused(self, text):
        with pytest.raises(WeakSecretError):
            Secret(text).check_strength()

    def test_good_ones_are_not(self):
        for text in ("correct horse", "8 Lilien am Fenster", "12345678901234567890"):
            Secret(text).check_strength()
        Secret.generate().check_strength()

    def test_the_first_line_of_a_file(self, tmp_path, capsys):
        path = tmp_path / "secret.txt"
        path.write_bytes(b"correct horse battery\r\nsecond\n")
        path.chmod(0o600)
        assert Secret.from_file(path).text == "correct horse battery"
        assert capsys.readouterr().err == ""
        path.chmod(0o644)
        Secret.from_file(path)
        assert "others may read" in capsys.readouterr().err

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 2000])
    def test_files_without_a_secret(self, tmp_path, content):
        path = tmp_path / "secret.txt"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(InputError, match=r"secret\.txt"):
            Secret.from_file(path)
        with pytest.raises(InputError):
            Secret.from_file(tmp_path / "gone")

    def test_asking(self, monkeypatch):
        typed = iter(["correct horse", "correct horse", "correct horse", "wrong horse"])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
        assert Secret.prompt("secret", twice=True).text == "correct horse"
        with pytest.raises(InputError, match="not the same"):
            Secret.prompt("secret", twice=True)

    def test_nobody_to_ask(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with pytest.raises(UsageError, match="--secret-file"):
            Secret.prompt("secret")

"""What is kept of a shopper who asked for it, and its serialisation: a tar of JSON and .npy members, no code in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from game.measurements import MeasurementReport, parse_report
from game.measurements import to_json as measurements_to_json
from game.profiles.archive import from_npy, read_archive, write_archive
from game.profiles.consent import Consent
from game.profiles.errors import ContentError, NewerVersionError, OtherBodyModelError
from game.profiles.keys import Bytes, sha256
from game.scan import Scan
from game.scan_files import scan_report
from solver.body import BodyModel, RestBody

VERSION = 2
"""1 had no atlas."""
MOST_JSON = 1 << 18
MOST_VERTICES = 200_000
MOST_TEXELS = 4096
"""Along a side of the atlas."""
MOST_JOINTS = 1_000
MOST_COEFFICIENTS = 2_000
MOST_GARMENTS = 20
MOST_OPTIONS = 100
FARTHEST_M = 10.0
"""No point of a body lies further from its origin."""
MOST_DEVIATIONS = 1e3
"""No shape coefficient is larger."""

Option = str | float
_ARRAYS = {
    "shape": (np.float64, "coefficients"),
    "rest_vertices": (np.float32, "vertices", 3),
    "rest_joints": (np.float64, "joints", 3),
    "canonical_vertices": (np.float32, "vertices", 3),
    "vertex_colors": (np.uint8, "vertices", 3),
    "atlas": (np.uint8, "texels", "texels", 3),
}
"""Type, dimensions by name or number."""


@dataclass(frozen=True, slots=True)
class GarmentChoice:
    """One garment as chosen and altered; the words are the wardrobe's."""

    design: str
    alterations: Mapping[str, Option] = field(default_factory=dict)
    """As in `tshirt:sleeve=+40,size=M`: option to millimetres or to a word."""
    fabric: str = ""
    print: str = ""
    colors: tuple[str, ...] = ()
    """#rrggbb, as many as the print takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One person's measures, body and choice. Arrays are read-only; `wipe` zeroes them."""

    measurements: MeasurementReport
    shape: NDArray[np.float64]
    """Shape coefficients, (K,). The vertices hold detail beyond them."""
    rest: RestBody
    """The person's body at rest: vertices (V, 3) float32 and joints (J, 3) float64 [m], frame b."""
    vertices: NDArray[np.float32]
    """In the canonical A-pose, soles at z = 0 [m], (V, 3)."""
    vertex_colors: NDArray[np.uint8] | None
    """sRGB as the camera saw them, (V, 3)."""
    atlas: NDArray[np.uint8] | None
    """The same in detail, (N, N, 3), as `solver.atlas` lays it out."""
    consent: Consent
    created_at: int
    """When the person was scanned, Unix time [s]."""
    expires_at: int
    """When all this is to be erased."""
    topology: str
    """Which body model the arrays are of: `topology_of`."""
    outfit: tuple[GarmentChoice, ...] = ()

    @classmethod
    def from_scan(
        cls,
        scan: Scan,
        model: BodyModel,
        consent: Consent,
        created_at: int,
        expires_at: int,
        outfit: tuple[GarmentChoice, ...] = (),
    ) -> Profile:
        """What is kept of a finished scan. Arrays are shared with it, not copied: `wipe` wipes the scan's too."""
        body = scan.reconstruction
        return cls(
            scan_report(scan),
            body.shape,
            body.rest,
            body.vertices,
            body.vertex_colors,
            None if body.atlas is None else body.atlas.color,
            consent,
            created_at,
            expires_at,
            topology_of(model),
            outfit,
        )

    def check_model(self, model: BodyModel) -> None:
        """Raises `OtherBodyModelError` unless the arrays are of `model`."""
        if self.topology != topology_of(model) or len(self.rest.vertices) != model.vertex_count:
            raise OtherBodyModelError("the profile was made with another body model; scan again")

    def wipe(self) -> None:
        """Zeroes the arrays. Numbers and words in Python objects are left to the garbage collector."""
        for array in self._arrays().values():
            array.setflags(write=True)
            array[...] = 0

    def describe(self) -> dict[str, Any]:
        """The content of profile.json (docs/schemas/profile.schema.json)."""
        return {
            "version": VERSION,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "consent": self.consent.to_json(),
            "outfit": [
                {
                    "design": garment.design,
                    "alterations": dict(garment.alterations),
                    "fabric": garment.fabric,
                    "print": garment.print,
                    "colors": list(garment.colors),
                }
                for garment in self.outfit
            ],
            "body": {
                "topology": self.topology,
                "vertices": len(self.rest.vertices),
                "joints": len(self.rest.joints),
                "coefficients": len(self.shape),
                "colored": self.vertex_colors is not None,
                "texels": 0 if self.atlas is None else len(self.atlas),
            },
        }

    def encode(self) -> bytearray:
        """The archive that is sealed. Zero it after use. Raises `ContentError` for what could not be read back."""
        members: dict[str, Bytes | NDArray] = {
            "profile.json": _dump(self.describe()),
            "measurements.json": _dump(measurements_to_json(self.measurements)),
        }
        for name, array in self._arrays().items():
            members[f"{name}.npy"] = np.asarray(array, _ARRAYS[name][0])
        archive = write_archive(members)
        _decode(archive, "profile")
        return archive

    @classmethod
    def decode(cls, archive: bytearray, name: str = "profile") -> Profile:
        """Reads what `encode` wrote, from anyone. The arrays are views of `archive`, which becomes the profile's.

        Raises `ContentError`, `NewerVersionError`; the archive is zeroed then.
        """
        try:
            profile = _decode(archive, name)
            for member, content in read_archive(archive, name).items():
                if member.endswith(".json"):
                    content[:] = bytes(len(content))
        except BaseException:
            archive[:] = bytes(len(archive))
            raise
        return profile

    def _arrays(self) -> dict[str, NDArray]:
        arrays: dict[str, NDArray] = {
            "shape": self.shape,
            "rest_vertices": self.rest.vertices,
            "rest_joints": self.rest.joints,
            "canonical_vertices": self.vertices,
        }
        if self.vertex_colors is not None:
            arrays["vertex_colors"] = self.vertex_colors
        if self.atlas is not None:
            arrays["atlas"] = self.atlas
        return arrays


def topology_of(model: BodyModel) -> str:
    """Names what the arrays of a profile are counted by: triangles and joints of the body model."""
    counted = model.faces.astype("<i4").tobytes() + model.joint_parents.astype("<i4").tobytes()
    return sha256(counted + "\n".join(model.joint_names).encode("utf-8")).hex()[:32]


def _decode(archive: bytearray, name: str) -> Profile:
    members = read_archive(archive, name)
    try:
        return _parse(members, name)
    except KeyError as error:
        raise ContentError(f"{name}: {error.args[0]} is missing in it; export it again") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ContentError(f"{name}: its content is no profile ({error}); export it again") from error


def _parse(members: Mapping[str, memoryview], name: str) -> Profile:
    content = _load(members["profile.json"])
    version = _integer(content["version"], 1, 1 << 30)
    if version > VERSION:
        raise NewerVersionError(f"{name}: profile {version} is newer than this program; update Cheval")
    body = content["body"]
    sizes = {
        "vertices": _integer(body["vertices"], 1, MOST_VERTICES),
        "joints": _integer(body["joints"], 1, MOST_JOINTS),
        "coefficients": _integer(body["coefficients"], 1, MOST_COEFFICIENTS),
    }
    sizes["texels"] = 0 if version == 1 else _integer(body["texels"], 0, MOST_TEXELS)
    absent = set() if _true_or_false(body["colored"]) else {"vertex_colors"}
    absent |= set() if sizes["texels"] else {"atlas"}
    wanted = [array for array in _ARRAYS if array not in absent]
    if set(members) != {"profile.json", "measurements.json", *(f"{array}.npy" for array in wanted)}:
        raise ValueError("its members are others")
    arrays = {}
    for array in wanted:
        dtype, *dimensions = _ARRAYS[array]
        shape = tuple(sizes[one] if isinstance(one, str) else one for one in dimensions)
        values = from_npy(members[f"{array}.npy"], dtype, shape, f"{name}: {array}.npy")
        # NaN fails the comparison too. No temporary array: it would stay in memory after `wipe`.
        most = MOST_DEVIATIONS if array == "shape" else FARTHEST_M
        if dtype is not np.uint8 and not (-most <= values.min() and values.max() <= most):
            raise ValueError(f"{array} holds numbers that no body has")
        arrays[array] = values
    created, expires = (_integer(content[key], 0, 1 << 40) for key in ("created_at", "expires_at"))
    if expires < created:
        raise ValueError("it expires before it was made")
    return Profile(
        parse_report(_load(members["measurements.json"])),
        arrays["shape"],
        RestBody(arrays["rest_vertices"], arrays["rest_joints"]),
        arrays["canonical_vertices"],
        arrays.get("vertex_colors"),
        arrays.get("atlas"),
        _parse_consent(content["consent"]),
        created,
        expires,
        _text(body["topology"], 64),
        tuple(map(_parse_garment, _list(content["outfit"], MOST_GARMENTS))),
    )


def _parse_consent(content: Mapping[str, Any]) -> Consent:
    given = content["given"]
    if given not in ("screen", "command"):
        raise ValueError("consent was given in an unknown way")
    return Consent(
        _integer(content["agreed_at"], 0, 1 << 40),
        tuple(_text(purpose, 40) for purpose in _list(content["purposes"], 20)),
        _text(content["text_version"], 40),
        _text(content["text_sha256"], 64),
        _text(content["language"], 20),
        given,
    )


def _parse_garment(content: Mapping[str, Any]) -> GarmentChoice:
    alterations = content["alterations"]
    if len(alterations) > MOST_OPTIONS:
        raise ValueError("too many alterations")
    options: dict[str, Option] = {
        _text(key, 40): _text(value, 80) if isinstance(value, str) else _number(value)
        for key, value in alterations.items()
    }
    return GarmentChoice(
        _text(content["design"], 80),
        MappingProxyType(options),
        _text(content["fabric"], 80),
        _text(content["print"], 80),
        tuple(_text(color, 20) for color in _list(content["colors"], 20)),
    )


def _dump(content: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except ValueError as error:
        raise ContentError(f"the profile holds what JSON cannot say ({error})") from error


def _load(member: memoryview) -> Any:
    if len(member) > MOST_JSON:
        raise ValueError(f"{len(member)} bytes of JSON")
    return json.loads(bytes(member).decode("utf-8"), parse_constant=_refuse_constant)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _integer(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError("a whole number is out of bounds")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("an alteration is no number")
    return float(value)


def _true_or_false(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("a yes or no is something else")
    return value


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError("a word is too long or no word")
    return value


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("a list is too long or no list")
    return value

"""Builds `assets/models/pose_landmarker.task`, the person landmarker that MediaPipe 1.x runs but does not ship.

The wheel of MediaPipe 0.10.21 (Apache-2.0) carries the two networks without the metadata that the Tasks API asks for.
This fetches that wheel with pip, adds the image normalisation with that version's own metadata writer, and packs both
networks in a stored zip. The result is the same, byte for byte, on every machine.

Needs: CPython 3.9 to 3.12 (what that wheel was built for), pip with an index that has the wheel, and the package
`flatbuffers` in this interpreter (mediapipe brings it). Run:

    python tools/build_pose_landmarker.py            # write the bundle, LICENSE and provenance.json
    python tools/build_pose_landmarker.py --check    # rebuild in a temporary folder and compare with what is committed
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "assets" / "models"
BUNDLE = "pose_landmarker.task"
SOURCE = "mediapipe==0.10.21"

# name in the bundle -> path in the wheel, its SHA-256, and (mean, std) of the pixels the network was trained on.
NETWORKS = {
    "pose_detector.tflite": (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        (127.5, 127.5),
    ),
    "pose_landmarks_detector.tflite": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        (0.0, 255.0),
    ),
}
BUNDLE_SHA256 = "6a2096daae56d1b5296422a3b9b75e5f9b019b491fb665e8016dbe1ffd83da94"
METADATA_WRITER = ("mediapipe/tasks/metadata/", "mediapipe/tasks/python/metadata/", "mediapipe/tasks/cc/metadata/")
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
ALIGNMENT = 64  # bytes; TensorFlow Lite copies buffers that start elsewhere, and says so at every start
LOCAL_HEADER = 30  # bytes before the name
PADDING_FIELD = 0xD935  # the zip extra field that zipalign uses for padding


def download_wheel(folder: Path) -> zipfile.ZipFile:
    """The 0.10.21 wheel for this interpreter, opened."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run([*command, "--dest", str(folder), SOURCE], check=False)
    wheels = list(folder.glob("mediapipe-*.whl"))
    if done.returncode or not wheels:
        sys.exit(
            f"pip found no wheel of {SOURCE} for Python {'.'.join(map(str, sys.version_info[:2]))}: use 3.9 to 3.12"
        )
    return zipfile.ZipFile(wheels[0])


def import_metadata_writer(wheel: zipfile.ZipFile, folder: Path):
    """That version's metadata writer, without importing (or installing) the rest of the old package.

    Only the metadata packages are unpacked, under parents emptied of their imports.
    """
    wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith(METADATA_WRITER)])
    for parent in ("mediapipe", "mediapipe/tasks", "mediapipe/tasks/python", "mediapipe/tasks/cc"):
        (folder / parent / "__init__.py").write_text("")
    sys.path.insert(0, str(folder))
    from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer  # pyright: ignore

    return metadata_writer


def aligned_entry(name: str, offset: int) -> zipfile.ZipInfo:
    """The zip entry of a file that starts at `offset`, padded so that TensorFlow Lite can map its content in place."""
    entry = zipfile.ZipInfo(name, ZIP_DATE)
    padding = -(offset + LOCAL_HEADER + len(name) + 4) % ALIGNMENT
    entry.extra = PADDING_FIELD.to_bytes(2, "little") + padding.to_bytes(2, "little") + bytes(padding)
    return entry


def build_bundle(folder: Path) -> tuple[bytes, bytes]:
    """The bundle and the wheel's licence text."""
    with download_wheel(folder) as wheel:
        writer = import_metadata_writer(wheel, folder / "writer")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
            for name, (path, sha256, (mean, std)) in NETWORKS.items():
                network = wheel.read(path)
                if hashlib.sha256(network).hexdigest() != sha256:
                    sys.exit(f"{path} in {wheel.filename} is not the network this recipe is for (SHA-256 differs)")
                described, _ = (
                    writer.MetadataWriter.create(bytearray(network)).add_image_input([mean], [std]).populate()
                )
                bundle.writestr(aligned_entry(name, packed.tell()), bytes(described))
        return packed.getvalue(), wheel.read("mediapipe-0.10.21.dist-info/LICENSE")


def provenance(bundle: bytes) -> dict:
    """Where the bundle comes from, for people and for checks."""
    return {
        "file": BUNDLE,
        "sha256": hashlib.sha256(bundle).hexdigest(),
        "license": "Apache-2.0",
        "copyright": "The MediaPipe Authors",
        "source": {"package": "mediapipe", "version": "0.10.21", "index": "PyPI"},
        "changes": "image normalisation metadata added; packed as a MediaPipe Tasks bundle",
        "built_by": "tools/build_pose_landmarker.py",
        "networks": {
            name: {"path_in_wheel": path, "sha256": sha256, "pixel_mean": mean, "pixel_std": std}
            for name, (path, sha256, (mean, std)) in NETWORKS.items()
        },
    }


def write_whole(path: Path, content: bytes) -> None:
    """Writes `path` so that it is never seen half-written."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def main() -> int:
    """Builds or checks the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare a fresh build with the committed bundle")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle, license_text = build_bundle(Path(folder))
    sha256 = hashlib.sha256(bundle).hexdigest()
    if sha256 != BUNDLE_SHA256:
        sys.exit(f"built {sha256}, the recipe gives {BUNDLE_SHA256}: look what changed before you trust it")
    if arguments.check:
        same = (MODELS / BUNDLE).is_file() and (MODELS / BUNDLE).read_bytes() == bundle
        print(f"{BUNDLE}: {'same as committed' if same else 'differs from what is committed'} ({sha256})")
        return 0 if same else 1
    MODELS.mkdir(parents=True, exist_ok=True)
    write_whole(MODELS / BUNDLE, bundle)
    write_whole(MODELS / "LICENSE", license_text)
    write_whole(MODELS / "provenance.json", (json.dumps(provenance(bundle), indent=2) + "\n").encode())
    print(f"{MODELS / BUNDLE}: {len(bundle)} bytes, SHA-256 {sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

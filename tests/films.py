"""Small films of a known scene."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (96, 64)
FRAME_COUNT = 6
RATE = 30
CODECS = {".mp4": "libx264", ".mov": "libx264", ".avi": "mpeg4", ".mkv": "libx264", ".webm": "libvpx"}


def picture_of(k: int) -> np.ndarray:
    """Upper left red, upper right blue, the rest a grey that changes with k."""
    picture = np.full((SIZE[1], SIZE[0], 3), 40 + 20 * (k % 8), np.uint8)
    picture[:24, :32], picture[:24, -32:] = (230, 20, 20), (20, 20, 230)
    return picture


def write_film(
    path: Path, count: int = FRAME_COUNT, times_ms: list[int] | None = None, rotation: int = 0, sound_only: bool = False
) -> Path:
    """A film at 30 frames/s or at `times_ms`, which a player turns counter-clockwise by `rotation` degrees."""
    with av.open(str(path), "w") as container:
        if sound_only:
            sound = container.add_stream("aac", rate=44100)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate = 44100
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
            return path
        stream = container.add_stream(CODECS[path.suffix], rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for k in range(count):
            frame = av.VideoFrame.from_ndarray(picture_of(k), format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path

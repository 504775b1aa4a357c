"""Pictures to a film that every browser plays: H.264 in MP4, 4:2:0, index in front."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from game.files import whole_file
from solver.errors import InputError


class Film:
    """Writes one film; use it in a `with` block. The file appears when the block ends well, else not at all."""

    def __init__(self, path: Path, size: tuple[int, int], fps: int = 30, quality: int = 18):
        """`size` is (width, height) [px], made even by leaving out the last column or row; `quality` is x264's CRF."""
        self._path = Path(path)
        self._width, self._height = size[0] // 2 * 2, size[1] // 2 * 2
        self._fps = fps
        self._quality = quality
        self._stack = ExitStack()

    def __enter__(self) -> Film:
        temporary = self._stack.enter_context(whole_file(self._path))
        try:
            self._container = av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"})
            self._stack.push(self._close_container)
            self._stream = self._container.add_stream("libx264", rate=Fraction(self._fps))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._stack.close()
            raise InputError(f"{self._path}: no film can be written ({error}); reinstall the package av") from error
        self._stream.width, self._stream.height = self._width, self._height
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": str(self._quality), "preset": "veryfast"}
        # Players must know that the numbers are HD video's: unlabelled, half of them guess another matrix.
        self._stream.codec_context.colorspace = 1
        self._stream.codec_context.color_primaries = 1
        self._stream.codec_context.color_trc = 1
        self._stream.codec_context.color_range = 1
        return self

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Append one picture, sRGB, shape (H, W, 3)."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[: self._height, : self._width]), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, *exception: object) -> bool | None:
        return self._stack.__exit__(*exception)  # pyright: ignore[reportArgumentType]

    def _close_container(self, kind: object, *_: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

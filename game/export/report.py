"""The report: the person from three sides, the tapes where they lay, the measures with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from game.export.lettering import break_lines, write
from game.files import whole_file
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

SIZE = (2480, 1500)
"""[px]."""
PAPER, INK, QUIET, RULE = (250, 248, 244), (38, 36, 34), (128, 122, 114), (214, 208, 199)
TAPE, TAPE_EDGE, UNSEEN = (247, 205, 70), (92, 66, 10), (86, 122, 168)
MARGIN, TOP, BOTTOM = 96, 250, 118
FIGURES_LEFT, FIGURES_RIGHT = 150, 1700
GAP = 14
HIDDEN_BEHIND_M = 0.012
CALLED_OUT_VIEW, CALLED_OUT_WIDTH = 1, 0.80
"""The main girths are written beside the figure in this view, seen from the side: there is room beside it."""

GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "GIRTHS",
        (
            ("neck_girth", "Neck"),
            ("chest_girth", "Chest"),
            ("underbust_girth", "Underbust"),
            ("waist_girth", "Waist"),
            ("hip_girth", "Hip"),
            ("upper_arm_girth", "Upper arm"),
            ("elbow_girth", "Elbow"),
            ("wrist_girth", "Wrist"),
            ("thigh_girth", "Thigh"),
            ("knee_girth", "Knee"),
            ("calf_girth", "Calf"),
            ("ankle_girth", "Ankle"),
        ),
    ),
    (
        "HEIGHTS",
        (
            ("height", "Height"),
            ("neck_height", "Neck (C7)"),
            ("chest_height", "Chest"),
            ("waist_height", "Waist"),
            ("hip_height", "Hip"),
            ("crotch_height", "Crotch"),
            ("knee_height", "Knee"),
        ),
    ),
    (
        "LENGTHS AND WIDTHS",
        (
            ("shoulder_width", "Shoulder to shoulder"),
            ("shoulder_length", "Shoulder"),
            ("arm_length", "Arm"),
            ("back_length", "Back to waist"),
            ("front_length", "Front to waist"),
            ("crotch_length", "Crotch"),
        ),
    ),
)
CALLED_OUT = ("neck_girth", "chest_girth", "waist_girth", "hip_girth", "thigh_girth", "calf_girth", "upper_arm_girth")


class Measured(Protocol):
    """What the report needs to know of a measure."""

    @property
    def value_mm(self) -> float:
        """[mm]."""
        ...

    @property
    def std_mm(self) -> float:
        """Standard error [mm]."""
        ...

    @property
    def paths(self) -> Sequence[NDArray]:
        """Where the tape lay: polylines (M, 3) [m] in the frame of the report's vertices."""
        ...


class View(NamedTuple):
    """A picture and the camera that saw it."""

    title: str
    picture: NDArray[np.uint8]
    """sRGB, shape (H, W, 3)."""
    intrinsics: Intrinsics
    T_wc: NDArray[np.float64]
    """Camera to world, shape (4, 4)."""


def write_report(
    path: Path,
    views: Sequence[View],
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    measures: Mapping[str, Measured],
    missing: Mapping[str, str] | None = None,
    coverage: NDArray[np.float32] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Composes and writes the report.

    `views` are pictures of the body `vertices` [m], (V, 3), `faces` (F, 3), the front one first; `measures` by key as
    in CLI.md and `missing` why others are not there; `coverage` (V,) 0..1 is what share of the surface the camera saw.
    The file appears whole or not at all. Raises `InputError` where it cannot be written.
    """
    page = compose_report(views, vertices, faces, measures, missing or {}, coverage, notes)
    with whole_file(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", page[..., ::-1])[1].tobytes())


def compose_report(
    views: Sequence[View],
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    measures: Mapping[str, Measured],
    missing: Mapping[str, str],
    coverage: NDArray[np.float32] | None,
    notes: Sequence[str],
) -> NDArray[np.uint8]:
    """The report as a picture, sRGB, shape (H, W, 3)."""
    page = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    page[:] = PAPER
    write(page, "Cheval", (MARGIN, 150), 84, INK, "Light")
    write(page, "THE MEASURE OF YOU", (MARGIN + 4, 200), 22, QUIET, "Regular", tracking=5)
    cv2.line(page, (MARGIN, TOP - 22), (SIZE[0] - MARGIN, TOP - 22), RULE, 2, cv2.LINE_AA)

    height = SIZE[1] - TOP - BOTTOM
    shares = np.array([1.0 if i != CALLED_OUT_VIEW else CALLED_OUT_WIDTH for i in range(len(views))])
    room = FIGURES_RIGHT - FIGURES_LEFT - GAP * (len(views) - 1)
    widths = np.floor(room * shares / shares.sum()).astype(int)
    left = FIGURES_LEFT
    for i, (view, width) in enumerate(zip(views, widths.tolist(), strict=True)):
        panel, camera = _fit(view, width, height)
        if coverage is not None:
            _hatch_unseen(panel, camera, view.T_wc, vertices, faces, coverage)
        _draw_tapes(panel, camera, view.T_wc, vertices, faces, measures)
        if i == CALLED_OUT_VIEW:
            _call_out(panel, camera, view.T_wc, measures)
        page[TOP : TOP + height, left : left + width] = panel
        write(page, view.title.upper(), (left + 24, TOP + 44), 20, INK, "Bold", tracking=4)
        if i == 0:
            _draw_scale(page, left, camera, view.T_wc, vertices, TOP)
        left += width + GAP
    _write_table(page, measures, missing)
    _write_notes(page, coverage, notes)
    return page


def _fit(view: View, width: int, height: int) -> tuple[NDArray[np.uint8], Intrinsics]:
    """The view's picture scaled to fill the panel, cut evenly, and its camera there."""
    source_height, source_width = view.picture.shape[:2]
    scale = max(width / source_width, height / source_height)
    picture = cv2.resize(
        view.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    x, y = (picture.shape[1] - width) // 2, (picture.shape[0] - height) // 2
    k = view.intrinsics
    camera = Intrinsics(
        width,
        height,
        k.fx * scale,
        k.fy * scale,
        (k.cx + 0.5) * scale - 0.5 - x,
        (k.cy + 0.5) * scale - 0.5 - y,
    )
    return np.array(picture[y : y + height, x : x + width], np.uint8), camera


def _to_camera(points: NDArray, T_wc: NDArray) -> NDArray[np.float32]:
    return ((np.asarray(points, np.float64) - T_wc[:3, 3]) @ T_wc[:3, :3]).astype(np.float32)


def _project(points: NDArray, camera: Intrinsics, T_wc: NDArray) -> NDArray[np.float64]:
    """Pixels and depth, shape (N, 3)."""
    local = _to_camera(points, T_wc).astype(np.float64)
    return np.column_stack(
        (
            camera.fx * local[:, 0] / local[:, 2] + camera.cx,
            camera.fy * local[:, 1] / local[:, 2] + camera.cy,
            local[:, 2],
        )
    )


def _resampled(path: NDArray, step: float = 0.003) -> NDArray[np.float64]:
    """Points every `step` [m] along a polyline (M, 3)."""
    along = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))))
    count = max(2, round(along[-1] / step))
    at = np.linspace(0.0, along[-1], count)
    return np.column_stack([np.interp(at, along, path[:, i]) for i in range(3)])


def _draw_tapes(
    panel: NDArray[np.uint8],
    camera: Intrinsics,
    T_wc: NDArray,
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    measures: Mapping[str, Measured],
) -> None:
    """Girths as tapes on the body: bright where the camera sees them, a shade where the body is in front."""
    depth = Rasterizer(camera).render(_to_camera(vertices, T_wc), faces).depth
    for key, measure in measures.items():
        if not key.endswith("_girth"):
            continue
        for path in measure.paths:
            pixels = _project(_resampled(np.asarray(path, np.float64)), camera, T_wc)
            columns = np.clip(np.rint(pixels[:, 0]).astype(int), 0, camera.width - 1)
            rows = np.clip(np.rint(pixels[:, 1]).astype(int), 0, camera.height - 1)
            front = depth[rows, columns]
            seen = (front == 0) | (pixels[:, 2] < front + HIDDEN_BEHIND_M)
            seen = cv2.morphologyEx(seen.astype(np.uint8)[None], cv2.MORPH_CLOSE, np.ones((1, 9), np.uint8))[0]
            seen = cv2.morphologyEx(seen[None], cv2.MORPH_OPEN, np.ones((1, 5), np.uint8))[0] > 0
            for start, stop in _runs(seen):
                run = np.round(pixels[max(start - 1, 0) : stop + 1, :2] * 16).astype(np.int32)
                cv2.polylines(panel, [run], False, TAPE_EDGE, 6, cv2.LINE_AA, 4)
                cv2.polylines(panel, [run], False, TAPE, 4, cv2.LINE_AA, 4)


def _runs(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index ranges over which `chosen` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _call_out(panel: NDArray[np.uint8], camera: Intrinsics, T_wc: NDArray, measures: Mapping[str, Measured]) -> None:
    """The main girths beside the figure, with a line to their tapes."""
    width = panel.shape[1]
    entries = []
    for key in CALLED_OUT:
        if key in measures and measures[key].paths:
            pixels = _project(np.concatenate([np.asarray(p) for p in measures[key].paths]), camera, T_wc)
            end = pixels[pixels[:, 0].argmax()]
            entries.append((float(end[1]), float(end[0]), key))
    labels = dict(pair for _, pairs in GROUPS for pair in pairs)
    entries.sort()
    places = [y for y, _, _ in entries]
    for _ in range(200):
        for i in range(1, len(places)):
            overlap = 62 - (places[i] - places[i - 1])
            if overlap > 0:
                places[i - 1] -= overlap / 2
                places[i] += overlap / 2
    for (y, x, key), place in zip(entries, places, strict=True):
        start, elbow, end = (round(x + 6), round(y)), (round(width - 128), round(place)), (width - 22, round(place))
        for a, b in ((start, elbow), (elbow, end)):
            cv2.line(panel, a, b, INK, 1, cv2.LINE_AA)
        cv2.circle(panel, start, 3, INK, -1, cv2.LINE_AA)
        write(panel, labels[key], (width - 22, place - 7), 19, INK, "Regular", "right")
        write(panel, f"{measures[key].value_mm / 10:.1f}", (width - 22, place + 25), 25, INK, "Bold", "right")


def _hatch_unseen(
    panel: NDArray[np.uint8],
    camera: Intrinsics,
    T_wc: NDArray,
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    coverage: NDArray[np.float32],
) -> None:
    """Blue hatching over what no camera saw."""
    rasterizer = Rasterizer(camera)
    drawn = rasterizer.render(_to_camera(vertices, T_wc), faces).triangle >= 0
    seen = rasterizer.interpolate(np.ascontiguousarray(coverage[:, None], np.float32))[..., 0]
    share = np.where(drawn, np.clip((0.6 - seen) / 0.3, 0.0, 1.0), 0.0)
    rows, columns = np.indices(share.shape)
    share = share * np.where((rows + columns) % 12 < 4, 0.75, 0.28)
    panel[:] = np.rint(panel + share[..., None] * (np.array(UNSEEN) - panel.astype(np.float64))).astype(np.uint8)


def _draw_scale(
    page: NDArray[np.uint8], left: int, camera: Intrinsics, T_wc: NDArray, vertices: NDArray[np.float32], top: int
) -> None:
    """Centimetres of height beside the first figure, and a line at the crown."""
    middle = vertices[:, :2].mean(0)
    crown = float(vertices[:, 2].max())

    def row(z: float) -> float:
        return top + _project(np.array([[middle[0], middle[1], z]]), camera, T_wc)[0, 1]

    for centimetre in range(int(crown * 100) + 6):
        length = 26 if centimetre % 50 == 0 else 16 if centimetre % 10 == 0 else 7 if centimetre % 5 == 0 else 0
        if length:
            y = round(row(centimetre / 100))
            cv2.line(page, (left - 10 - length, y), (left - 10, y), INK if length > 7 else QUIET, 1, cv2.LINE_AA)
            if centimetre % 10 == 0 and centimetre % 50 == 0 and centimetre:
                write(page, str(centimetre), (left - 14, y - 8), 18, QUIET, "Regular", "right")


def _write_table(page: NDArray[np.uint8], measures: Mapping[str, Measured], missing: Mapping[str, str]) -> None:
    left, right = FIGURES_RIGHT + 74, SIZE[0] - MARGIN
    y = TOP + 8.0
    if "height" in measures:
        measure = measures["height"]
        write(page, "HEIGHT", (left, y + 16), 20, QUIET, "Bold", tracking=4)
        end = write(page, f"{measure.value_mm / 10:.1f}", (left - 4, y + 122), 118, INK, "Light")
        write(page, "cm", (left + end + 10, y + 122), 34, QUIET, "Light")
        write(page, _tolerance(measure.std_mm), (right, y + 122), 30, QUIET, "Light", "right")
        y += 186
    rows = [
        (title, [(key, label) for key, label in pairs if key in measures and key != "height"])
        for title, pairs in GROUPS
    ]
    count = sum(len(pairs) + 1.8 for _, pairs in rows if pairs)
    pitch = min(38.0, (SIZE[1] - BOTTOM - y) / max(count, 1.0))
    for title, pairs in rows:
        if not pairs:
            continue
        write(page, title, (left, y), 20, QUIET, "Bold", tracking=4)
        cv2.line(page, (left, round(y + 12)), (right, round(y + 12)), RULE, 1, cv2.LINE_AA)
        y += pitch * 1.3
        for key, label in pairs:
            measure = measures[key]
            write(page, label, (left, y), 26, INK, "Regular")
            write(page, f"{measure.value_mm / 10:.1f}", (right - 116, y), 27, INK, "Bold", "right")
            write(page, _tolerance(measure.std_mm), (right, y), 22, QUIET, "Regular", "right")
            y += pitch
        y += pitch * 0.5
    labels = dict(pair for _, pairs in GROUPS for pair in pairs)
    absent = [labels[key] for key in missing if key in labels]
    if absent:
        for i, line in enumerate(break_lines("Not taken: " + ", ".join(absent), right - left, 20)):
            write(page, line, (left, min(y, SIZE[1] - BOTTOM - 20) + 28 * i), 20, QUIET, "Regular")


def _tolerance(std_mm: float) -> str:
    """Two standard errors in centimetres: the truth lies within in 95 of 100 scans."""
    return f"± {2 * std_mm / 10:.1f}"


def _write_notes(page: NDArray[np.uint8], coverage: NDArray[np.float32] | None, notes: Sequence[str]) -> None:
    y = SIZE[1] - 56
    parts = ["Centimetres; ± holds in 95 of 100 scans. Girths are taken where the tapes lie, in the A-pose shown."]
    if coverage is not None:
        parts.append(
            f"The camera saw {100 * float(np.mean(coverage)):.0f} % of the surface; the hatched rest is inferred."
        )
    write(page, "  ".join((*parts, *notes)), (MARGIN, y), 21, QUIET, "Regular")

"""Draws every screen into docs/images/screens, for docs/screens.md.

    python -m tools.draw_screens

The snapshots are those of the tests: a real body of the model, a real draped shirt, frames of the simulated camera.
"""

from __future__ import annotations

from pathlib import Path

import cv2

from game.app import App
from game.view.display import Display
from game.view.interface.inputs import Inputs
from scenes import SCREENS
from scenes.mannequin import wardrobe
from tests.test_screens import told

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images" / "screens"
PORTRAIT, LANDSCAPE = (540, 960), (960, 540)
PICTURES = (
    ("attract", PORTRAIT), ("consent", PORTRAIT), ("scan_begins", PORTRAIT), ("scan", PORTRAIT),
    ("scan_refines", PORTRAIT), ("reveal", PORTRAIT), ("mirror", PORTRAIT), ("mirror_glass", PORTRAIT),
    ("keep", PORTRAIT), ("keep_kept", PORTRAIT), ("goodbye", PORTRAIT), ("maintenance", PORTRAIT),
    ("mirror", LANDSCAPE), ("reveal", LANDSCAPE),
)  # fmt: skip
QUALITY = 88


def main() -> None:
    """Writes the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for size in (PORTRAIT, LANDSCAPE):
        display = Display(size, headless=True)
        for name, wanted in PICTURES:
            if wanted != size:
                continue
            app = App(display, told(name), SCREENS)
            if name == "attract":
                app.step(0.1, Inputs())
                wardrobe().wait()
            for _ in range(3):
                picture = app.step(1.0, Inputs(), read=True)
            assert picture is not None
            app.leave()
            path = FOLDER / f"{name}{'_landscape' if size == LANDSCAPE else ''}.jpg"
            cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            print(path.name)
        display.close()


if __name__ == "__main__":
    main()

"""The loop: takes the newest snapshot, lets its screen update and draw, passes wishes on."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from game.forgetting import overwrite_small_blocks, return_freed_memory
from game.pacing import Pacer
from game.protocol.commands import Command
from game.protocol.engine import Graphics
from game.protocol.session import Session
from game.protocol.snapshot import Screen, Snapshot
from game.view.display import Display
from game.view.dresser import Dresser
from game.view.graphics import OffscreenGraphics
from game.view.interface.inputs import Inputs

LONGEST_S = 0.1
"""A picture that took longer than this is animated as if it had not [s]."""


class Scene(Protocol):
    """What the app asks of a screen."""

    def enter(self, snapshot: Snapshot) -> None:
        """The screen begins."""

    def update(self, snapshot: Snapshot, inputs: Inputs, dt: float) -> list[Command]:
        """One picture."""
        ...

    def exit(self) -> None:
        """The screen ends."""

    def arrange_anew(self) -> None:
        """The canvas has another size."""


class Visitor(Protocol):
    """Who answers screens without hands."""

    def watch(self, snapshot: Snapshot) -> list[Command]:
        """What to ask of the session now; often nothing."""
        ...


SceneMaker = Callable[[Display, Dresser], Scene]


class App:
    """Draws a session's screens on a display."""

    def __init__(self, display: Display, session: Session, scenes: Mapping[Screen, SceneMaker]):
        self.display = display
        self.session = session
        self._dresser = Dresser(display)
        self._makers = scenes
        self._current: Screen | None = None
        self._scene: Scene | None = None
        self._knew = False
        self.frame_count = 0
        self._pacer = Pacer(session)
        self._paced_at = time.perf_counter()

    @property
    def graphics(self) -> Graphics:
        """The engine for other pictures, in the same context."""
        return OffscreenGraphics(self.display.context)

    @property
    def size(self) -> tuple[int, int]:
        """Of the pictures (width, height) [px]."""
        return self.display.size

    @property
    def screen(self) -> Screen | None:
        """Which screen is shown."""
        return self._current

    @property
    def scene(self) -> Scene:
        """The screen that is shown."""
        assert self._scene is not None
        return self._scene

    def step(self, dt: float, inputs: Inputs | None = None, read: bool = False) -> NDArray[np.uint8] | None:
        """One picture, `dt` [s] after the last; with `read` returns it: sRGB, shape (H, W, 3)."""
        inputs = inputs or self.display.read_inputs()
        snapshot = self.session.latest()
        self._enter(snapshot)
        if self.display.fit():
            self.scene.arrange_anew()
        for command in self.scene.update(snapshot, inputs, min(dt, LONGEST_S)):
            self.session.ask(command)
        self.frame_count += 1
        return self.display.draw(read)

    def pace(self) -> None:
        """Waits until the next picture is to begin.

        A machine that is too slow gets a simpler look.
        """
        if self.display.quality.still_backdrop:
            self._pacer.wait()
        scan, now = self.session.latest().scan, time.perf_counter()
        if scan is None or scan.refining is None:
            self.display.keep_up(min(now - self._paced_at, LONGEST_S))
        self._paced_at = now

    def run(
        self,
        frames: int | None = None,
        lockstep_fps: float | None = None,
        on_picture: Callable[[NDArray[np.uint8]], None] | None = None,
        until: Callable[[Snapshot], bool] | None = None,
        visitor: Visitor | None = None,
    ) -> None:
        """Draws until the window is closed, `frames` pictures are drawn or `until` holds; `visitor` answers screens.

        With `lockstep_fps` the session's clock is advanced by one picture each time, however long that takes.
        """
        last = time.perf_counter()
        while frames is None or self.frame_count < frames:
            if lockstep_fps is not None:
                dt = 1.0 / lockstep_fps
                self.session.advance(dt)
            else:
                self.pace()
                now = time.perf_counter()
                dt, last = now - last, now
            inputs = self.display.read_inputs()
            if inputs.quit:
                return
            for command in visitor.watch(self.session.latest()) if visitor else ():
                self.session.ask(command)
            picture = self.step(dt, inputs, read=on_picture is not None)
            if picture is not None and on_picture is not None:
                on_picture(picture)
            if until is not None and until(self.session.latest()):
                return

    def close(self) -> None:
        """Leaves the screen, gives everything of the shopper back and closes the display."""
        self.leave()
        self.display.close()

    def leave(self) -> None:
        """Leaves the screen and gives everything of the shopper back; the display stays open."""
        self._exit()
        self._forget()

    def _enter(self, snapshot: Snapshot) -> None:
        changed = snapshot.screen is not self._current
        if changed:
            self._exit()
        knows = snapshot.shopper is not None or snapshot.camera is not None
        if self._knew and not knows:
            self._forget()
        self._knew = knows
        if changed:
            # Made anew each time: whatever the last one of this name knew of somebody went with it.
            self._scene = self._makers[snapshot.screen](self.display, self._dresser)
            self._current = snapshot.screen
            self._scene.enter(snapshot)

    def _forget(self) -> None:
        self._dresser.forget()
        # Widgets and what they call hold each other: what they show of the shopper is let go now, not some day.
        gc.collect()
        overwrite_small_blocks()
        return_freed_memory()

    def _exit(self) -> None:
        if self._scene is not None:
            self._scene.exit()
        self._scene = self._current = None

"""A camera's own clock, made to run on."""

from __future__ import annotations

WRAP_S = 2**32 * 1e-6
"""RealSense hardware counts microseconds in 32 bits: it starts again every 71.6 minutes."""


class DeviceClock:
    """Turns time stamps that wrap, stand still or jump back into seconds that never fall."""

    def __init__(self, frame_rate: float) -> None:
        """`frame_rate` [1/s] bridges a jump whose true length nobody knows."""
        self._period_s = 1.0 / frame_rate
        self._stamp_s = 0.0
        self._offset_s = 0.0
        self._started = False

    def advance(self, stamp_s: float, wraps: bool) -> float:
        """Seconds for the next frame. `wraps`: the stamp comes from the 32-bit hardware counter."""
        fall_s = self._stamp_s - stamp_s
        if self._started and fall_s > 0.0:
            self._offset_s += WRAP_S if wraps and fall_s > WRAP_S / 2 else fall_s + self._period_s
        self._stamp_s = stamp_s
        self._started = True
        return stamp_s + self._offset_s

"""How long the mirror waits for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what [s]."""

    stepped_in: float = 0.8
    """Before who stands there is asked."""
    stepped_out: float = 2.0
    """Nobody there for so long, and the next one is asked anew."""
    consent: float = 30.0
    step_in: float = 15.0
    """Nobody in view while scanning."""
    scan: float = 120.0
    """For the turn."""
    refinement: float = 180.0
    """For the body made of it, on the slowest machine."""
    reveal: float = 90.0
    absent: float = 8.0
    """Nobody at the mirror."""
    keep: float = 120.0
    keep_absent: float = 30.0
    """Who types or photographs a code may stand aside."""
    goodbye: float = 5.0
    mended: float = 1.0
    """The maintenance screen stays so long after all is well."""
    mending: float = 20.0
    """A visit waits so long for it."""
    notice: float = 5.0
    wipe: float = 2.0

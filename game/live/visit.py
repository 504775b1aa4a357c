"""What is known of the one who is served. It is dropped whole when they leave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from game.live.wardrobe import WAITING, Wardrobe
from game.protocol.keeping import ConsentGiven, Notice
from game.protocol.snapshot import CameraMoment, Dressed, Guidance, Keeping, ScanProgress, SeeAs, Shopper, Snapshot
from game.scan import Evidence
from solver.types import Mesh


@dataclass(slots=True)
class Visit:
    """One shopper, from consent to goodbye."""

    wardrobe: Wardrobe
    consent: ConsentGiven | None = None
    moment: CameraMoment | None = None
    """The newest picture."""
    guidance: Guidance = Guidance.STEP_IN
    turned: float = 0.0
    share: float = 0.0
    """0..1 of the turn."""
    surface: Mesh | None = None
    seen: NDArray[np.float32] | None = None
    evidence: Evidence | None = None
    """While the body is made of it."""
    refining: float | None = None
    shopper: Shopper | None = None
    dressed: Dressed | None = None
    see_as: SeeAs = SeeAs.AVATAR
    sewing_share: float = 0.0
    keep_notice: Notice | None = None
    """What they were told when they asked to be kept."""
    keeping_asked: bool = False
    keeping: Keeping | None = None

    @property
    def progress(self) -> ScanProgress:
        """How far the scan is."""
        guidance = self.guidance if self.refining is None else Guidance.DONE
        return ScanProgress(guidance, self.turned, self.share, self.refining, self.surface, self.seen)

    def shown(self, snapshot: Snapshot) -> Snapshot:
        """`snapshot` with all that the shopper may see of it."""
        wardrobe = self.wardrobe
        waiting = wardrobe.waiting and self.shopper is not None
        return replace(
            snapshot,
            camera=self.moment,
            shopper=self.shopper,
            see_as=self.see_as,
            dressed=self.dressed,
            worn=wardrobe.worn,
            chosen=wardrobe.chosen,
            choices=wardrobe.choices,
            can_undo=wardrobe.can_undo,
            can_redo=wardrobe.can_redo,
            busy="keeping your profile" if self.keeping_asked else WAITING if waiting else "",
            busy_share=self.sewing_share if waiting else 0.0,
            keeping=self.keeping,
            keep_notice=self.keep_notice.words if self.keep_notice else "",
        )

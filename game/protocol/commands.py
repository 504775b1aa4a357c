"""What the screens ask of the session. Each is a wish: the session may refuse and say why in `Snapshot.notice`."""

from __future__ import annotations

from dataclasses import dataclass

from game.materials import Print
from game.protocol.snapshot import SeeAs


@dataclass(frozen=True, slots=True)
class Begin:
    """Someone touched the mirror: on to the consent screen."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The shopper agrees to be scanned (nothing is captured before), or does not."""

    given: bool


@dataclass(frozen=True, slots=True)
class Continue:
    """On to the next screen: from the measures to the mirror, from keep to goodbye."""


@dataclass(frozen=True, slots=True)
class ScanAgain:
    """Forget the scan and turn once more."""


@dataclass(frozen=True, slots=True)
class TryOn:
    """Wear entry `index` of the rack."""

    index: int


@dataclass(frozen=True, slots=True)
class Alter:
    """Give option `name` of the worn design the value `value`, in the option's unit."""

    name: str
    value: float
    final: bool = True
    """False while a slider is still being dragged: shown when there is time, no step of undo."""


@dataclass(frozen=True, slots=True)
class ChooseFabric:
    """Another fabric: the garment is draped anew."""

    name: str


@dataclass(frozen=True, slots=True)
class ChoosePrint:
    """Another print; colours stay where the print has them."""

    printed: Print


@dataclass(frozen=True, slots=True)
class ChooseColor:
    """Another ground colour, sRGB."""

    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Undo:
    """Back to what was worn before the last change."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Forward again."""


@dataclass(frozen=True, slots=True)
class See:
    """See oneself as avatar or in the mirror."""

    as_: SeeAs


@dataclass(frozen=True, slots=True)
class GoToKeep:
    """Done with trying on: keep a profile or leave."""


@dataclass(frozen=True, slots=True)
class BackToMirror:
    """From keep back to the mirror."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Save an encrypted profile; the session answers with `Snapshot.keeping`."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Wipe everything of this visit; on to goodbye."""


Command = (
    Begin
    | Consent
    | Continue
    | ScanAgain
    | TryOn
    | Alter
    | ChooseFabric
    | ChoosePrint
    | ChooseColor
    | Undo
    | Redo
    | See
    | GoToKeep
    | BackToMirror
    | Keep
    | Leave
)

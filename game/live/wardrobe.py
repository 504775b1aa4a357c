"""What the shopper wears and wants to wear: the rack, alterations, undo, and what the tailor must make for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from game.designs import design_named
from game.live.history import History
from game.materials import Print
from game.protocol import commands as c
from game.protocol.snapshot import Choice, RackItem, Worn
from game.rack import fabric_names
from solver.errors import UsageError

_log = logging.getLogger("cheval")
WAITING = "cutting and sewing"


@dataclass(frozen=True, slots=True)
class Outfit:
    """An entry of the rack as it was altered: what undo goes back to."""

    chosen: int
    worn: Worn


class Wardrobe:
    """Wishes become numbered orders for the tailor; what the avatar shows tells which of them are fulfilled."""

    def __init__(self, rack: Sequence[RackItem], first_number: int = 0) -> None:
        """Numbers of orders begin after `first_number`, so that no two garments of a session share one."""
        self.rack = tuple(rack)
        self.number = first_number
        self._first_number = first_number
        self._wanted = Outfit(0, self.rack[0].worn)
        self._history = History(self._wanted)
        self._made: dict[int, Outfit] = {}
        self._shown = 0
        self._refused = 0

    @property
    def chosen(self) -> int:
        """Index in the rack of what is wanted."""
        return self._wanted.chosen

    @property
    def worn(self) -> tuple[Worn, ...]:
        """What the avatar wears now."""
        outfit = self._made.get(self._shown)
        if outfit is None:
            return ()
        # A print needs no tailor.
        same = _cut(outfit.worn) == _cut(self._wanted.worn)
        return (replace(outfit.worn, printed=self._wanted.worn.printed) if same else outfit.worn,)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Alterations of what is wanted."""
        worn = self._wanted.worn
        return design_named(worn.design).choices(worn.options)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a step forward."""
        return self._history.can_redo

    @property
    def waiting(self) -> bool:
        """True while the avatar does not wear yet what is wanted."""
        return max(self._shown, self._refused) < self.number and self.number > self._first_number

    def begin(self) -> Worn:
        """The first garment, to be made."""
        return self._order()

    def again(self) -> Worn | None:
        """What must be made once more, since it was lost; None where nothing was worn."""
        return self._order() if self.number > self._first_number else None

    def hear(self, wish: c.Command) -> Worn | None:
        """What must be made for `wish`; None where nothing. Raises `UsageError` for what is not to be had here."""
        match wish:
            case c.TryOn():
                return self.try_on(wish.index)
            case c.Alter():
                return self.alter(wish.name, wish.value, wish.final)
            case c.ChooseFabric():
                return self.change_fabric(wish.name)
            case c.ChoosePrint():
                return self.change_print(wish.printed)
            case c.ChooseColor():
                return self.change_color(wish.color)
            case c.Undo():
                return self.undo()
            case c.Redo():
                return self.redo()
        _log.debug("%s is no wish for the wardrobe", wish)
        return None

    def try_on(self, index: int) -> Worn | None:
        """Entry `index` of the rack. Returns what must be made, None where nothing. Raises `UsageError`."""
        if not 0 <= index < len(self.rack):
            raise UsageError(f"the rack has {len(self.rack)} entries; there is no entry {index + 1}")
        return self._want(Outfit(index, self.rack[index].worn), True)

    def alter(self, name: str, value: float, final: bool) -> Worn | None:
        """Option `name` at `value`. Raises `UsageError` for an option that the design does not have."""
        worn = self._wanted.worn
        if name not in design_named(worn.design).options:
            raise UsageError(f"{worn.design} has no option {name!r}")
        return self._want(replace(self._wanted, worn=replace(worn, options={**worn.options, name: value})), final)

    def change_fabric(self, name: str) -> Worn | None:
        """Another fabric. Raises `UsageError` for one that is not here."""
        if name not in fabric_names():
            raise UsageError(f"there is no fabric {name!r} here")
        return self._want(replace(self._wanted, worn=replace(self._wanted.worn, fabric=name)), True)

    def change_print(self, printed: Print) -> Worn | None:
        """Another print."""
        return self._want(replace(self._wanted, worn=replace(self._wanted.worn, printed=printed)), True)

    def change_color(self, color: tuple[int, int, int]) -> Worn | None:
        """Another ground colour."""
        return self.change_print(self._wanted.worn.printed._replace(ground=color))

    def undo(self) -> Worn | None:
        """One step back."""
        return self._want(self._history.undo(), False)

    def redo(self) -> Worn | None:
        """One step forward."""
        return self._want(self._history.redo(), False)

    def show(self, number: int) -> None:
        """The avatar wears what order `number` made."""
        self._shown = number
        for old in [n for n in self._made if n < number]:
            del self._made[old]

    def refuse(self, number: int) -> Worn | None:
        """Order `number` cannot be made: what was worn before is wanted again."""
        if number != self.number:
            return None
        self._refused = number
        if self._history.present == self._wanted:
            self._history.drop()
        if _cut(self._history.present.worn) == _cut(self._wanted.worn):
            return None
        return self._want(self._history.present, False)

    def _want(self, outfit: Outfit, final: bool) -> Worn | None:
        last = self._made.get(self.number) if self.number > self._refused else self._made.get(self._shown)
        self._wanted = outfit
        if final:
            self._history.do(outfit)
        if last is not None and _cut(last.worn) == _cut(outfit.worn):
            key = self.number if self.number in self._made and self.number > self._refused else self._shown
            self._made[key] = outfit
            return None
        return self._order()

    def _order(self) -> Worn:
        self.number += 1
        self._made[self.number] = self._wanted
        return self._wanted.worn


def _cut(worn: Worn) -> tuple[object, ...]:
    """What the tailor must know: all but the print."""
    options = design_named(worn.design).options
    values = tuple(worn.options.get(name, option.default) for name, option in options.items())
    return worn.design, worn.fabric, values

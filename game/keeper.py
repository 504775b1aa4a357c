"""Keeps a shopper's profile in the store, under a secret that is made for it and shown once."""

from __future__ import annotations

import time
from collections.abc import Callable

from game.designs import design_named
from game.profiles.consent import SAVING_NOTICE, SAVING_NOTICE_VERSION, Consent
from game.profiles.profile import GarmentChoice, Profile
from game.profiles.secret import Secret
from game.profiles.store import DAY_S, MOST_DAYS, ProfileStore
from game.protocol.keeping import ConsentGiven, Notice
from game.protocol.snapshot import Keeping, Shopper, Worn
from solver.body import BodyModel
from solver.errors import InputError

PURPOSES = ("try on again", "fit garments")


class StoreKeeper:
    """Fulfils `game.protocol.keeping.Keeper`."""

    def __init__(
        self, store: ProfileStore, model: BodyModel, *, days: int = MOST_DAYS, clock: Callable[[], float] = time.time
    ) -> None:
        """Profiles are erased after `days`; `clock` gives Unix time [s]."""
        self._store, self._model, self._days, self._clock = store, model, days, clock

    def notice(self) -> Notice:
        """The saving notice with the day of erasure put in."""
        expires_at = int(self._clock()) + self._days * DAY_S
        day = time.strftime("%d %B %Y", time.localtime(expires_at)).removeprefix("0")
        return Notice(SAVING_NOTICE.format(day=day), expires_at)

    def keep(self, shopper: Shopper, worn: tuple[Worn, ...], consent: ConsentGiven, notice: Notice) -> Keeping:
        """Seals the shopper with what they wear; the consent's digest is of the words of `notice`. Raises
        `InputError` for a body that was not scanned, and what `ProfileStore.save` raises."""
        if shopper.scan is None:
            raise InputError("Only a scanned body can be kept: this camera sees no depth.")
        agreed = Consent.to(notice.words, SAVING_NOTICE_VERSION, PURPOSES, int(self._clock()), "screen")
        profile = Profile.from_scan(
            shopper.scan, self._model, agreed, int(consent.at), notice.expires_at, tuple(map(_choice, worn))
        )
        with Secret.generate() as secret:
            profile_id = self._store.save(profile, secret)
            return Keeping(profile_id, secret.text)


def _choice(worn: Worn) -> GarmentChoice:
    printed = worn.printed
    units = design_named(worn.design).options
    alterations = {
        name: 1e3 * value if units[name].unit == "m" else float(value) for name, value in worn.options.items()
    }
    colors = tuple("#{:02x}{:02x}{:02x}".format(*color) for color in (printed.ground, printed.figure))
    return GarmentChoice(worn.design, alterations, worn.fabric, printed.kind.name.lower(), colors)

"""What a shopper agrees to is what they were shown."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from game.keeper import StoreKeeper
from game.profiles.consent import Consent
from game.profiles.profile import Profile
from game.profiles.secret import Secret
from game.profiles.store import DAY_S
from game.protocol.keeping import ConsentGiven
from solver.errors import InputError
from tests.profiles import NOW, make_profile, make_store


def test_the_words_that_were_shown_are_bound_even_past_midnight(tmp_path, monkeypatch):
    now = [NOW]
    store = make_store(tmp_path / "store")
    keeper = StoreKeeper(store, None, days=30, clock=lambda: now[0])  # pyright: ignore[reportArgumentType]

    def from_scan(scan, model, consent, created_at, expires_at, outfit):
        return replace(make_profile(), consent=consent, created_at=created_at, expires_at=expires_at, outfit=outfit)

    monkeypatch.setattr(Profile, "from_scan", from_scan)
    notice = keeper.notice()
    assert "It is erased on" in notice.words
    assert notice.expires_at == NOW + 30 * DAY_S
    now[0] += 7
    assert keeper.notice().expires_at == notice.expires_at + 7
    keeping = keeper.keep(SimpleNamespace(scan=object()), (), ConsentGiven(NOW - 60.0), notice)  # pyright: ignore[reportArgumentType]
    with Secret(keeping.secret) as secret:
        kept = store.open(keeping.profile_id, secret)
    assert kept.consent == Consent.to(notice.words, "2", kept.consent.purposes, NOW + 7)
    assert kept.expires_at == notice.expires_at


def test_a_body_that_was_not_scanned_is_not_kept(tmp_path):
    keeper = StoreKeeper(make_store(tmp_path / "store"), None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="Only a scanned body"):
        keeper.keep(SimpleNamespace(scan=None), (), ConsentGiven(0.0), keeper.notice())  # pyright: ignore[reportArgumentType]

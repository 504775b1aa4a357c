"""Small profiles, weak key derivations and clocks for tests."""

from __future__ import annotations

import numpy as np

from game.measurements import MeasurementEntry, MeasurementReport
from game.profiles.consent import Consent
from game.profiles.keys import Argon2Cost
from game.profiles.profile import GarmentChoice, Profile
from game.profiles.secret import Secret
from game.profiles.store import DAY_S, ProfileStore
from solver.body import RestBody

WEAK = Argon2Cost(8, 1, 1)
NOW = 1_800_000_000
PASSPHRASE = "correct horse battery"
NAME = "Ottoline Canary"


def make_profile(seed=0, vertices=5, joints=2, coefficients=3, created=NOW, days=30):
    """A body of no shape at all, with all that a profile holds."""
    rng = np.random.default_rng(seed)
    report = MeasurementReport(
        {
            "height": MeasurementEntry(1751.2 + seed, 1.9, "height", "ISO 8559-1 5.1.1"),
            "chest_girth": MeasurementEntry(1013.7 + seed, 4.5, "large girth"),
        },
        {"calf_girth": "hidden by trousers"},
        "A",
        0.97,
        2.1,
        {"kind": "simulated", "name": NAME, "frames": 240, "seconds": 9.6},
    )
    garment = GarmentChoice("tshirt", {"sleeve": 40.0, "size": "M"}, "jersey", "stripes", ("#f0eee7", "#26365c"))
    return Profile(
        report,
        rng.normal(size=coefficients),
        RestBody(rng.normal(size=(vertices, 3)).astype(np.float32), rng.normal(size=(joints, 3))),
        rng.normal(size=(vertices, 3)).astype(np.float32),
        rng.integers(0, 256, (vertices, 3), np.uint8),
        rng.integers(0, 256, (4, 4, 3), np.uint8),
        Consent.to("Kept until you say so.", "1", ("keep", "fit"), created),
        created,
        created + days * DAY_S,
        "0123abcd",
        (garment,),
    )


def secret(text=PASSPHRASE):
    return Secret(text)


def make_store(path, now=NOW, **options):
    return ProfileStore(path, cost=WEAK, clock=lambda: now, **options)


def same(a, b):
    """Whether two profiles say the same."""
    arrays = zip(a._arrays().items(), b._arrays().items(), strict=True)
    return (
        a.describe() == b.describe()
        and a.measurements == b.measurements
        and all(n == m and x.dtype == y.dtype and np.array_equal(x, y) for (n, x), (m, y) in arrays)
    )

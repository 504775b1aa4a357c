"""What hangs on the rack, and the fabrics, prints and colours to choose from."""

from __future__ import annotations

from game.fabrics import load_fabrics
from game.materials import Print, PrintKind
from game.protocol.snapshot import RackItem, Worn
from solver.errors import UsageError
from solver.pattern import tshirt

INK, CREAM = (38, 54, 92), (240, 238, 231)

COLORS: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("White", (238, 236, 230)),
    ("Cream", (236, 226, 204)),
    ("Dusty rose", (196, 132, 126)),
    ("Terracotta", (172, 92, 62)),
    ("Ochre", (198, 154, 72)),
    ("Sage", (140, 154, 126)),
    ("Forest", (48, 76, 62)),
    ("Sky", (148, 178, 202)),
    ("Navy", (34, 44, 74)),
    ("Charcoal", (58, 60, 64)),
    ("Black", (28, 28, 30)),
)
PRINTS: tuple[tuple[str, Print], ...] = (
    ("Plain", Print()),
    ("Breton stripe", Print(PrintKind.STRIPES, CREAM, INK, 0.026, 0.38)),
    ("Pinstripe", Print(PrintKind.PINSTRIPES, (58, 62, 72), (206, 206, 204), 0.018, 0.10)),
    ("Gingham", Print(PrintKind.CHECKS, (240, 240, 236), (150, 52, 52), 0.024, 0.50)),
    ("Dots", Print(PrintKind.DOTS, (32, 42, 72), (236, 232, 222), 0.022, 0.34)),
)
_WRIST = tshirt.OPTIONS["sleeve"].maximum


def plain(color: str) -> Print:
    """One colour, by its name in `COLORS`."""
    return Print(PrintKind.PLAIN, dict(COLORS)[color])


RACK: tuple[RackItem, ...] = (
    RackItem("white-tee", "White tee", Worn("tshirt", {}, "jersey", plain("White"))),
    RackItem("breton", "Breton stripe", Worn("tshirt", {"neckline": 0.01}, "jersey", dict(PRINTS)["Breton stripe"])),
    RackItem(
        "rose-oversized",
        "Dusty rose, oversized",
        Worn("tshirt", {"ease": 0.24, "length": 0.04, "sleeve": 0.05}, "jersey", plain("Dusty rose")),
    ),
    RackItem("navy-long", "Navy, long sleeves", Worn("tshirt", {"sleeve": _WRIST}, "jersey", plain("Navy"))),
    RackItem(
        "sage-fitted",
        "Sage, fitted",
        Worn("tshirt", {"ease": 0.02, "shape": 0.8, "neckline": 0.03}, "jersey", plain("Sage")),
    ),
    RackItem(
        "ochre-cropped",
        "Ochre, cropped",
        Worn("tshirt", {"length": -0.13, "ease": 0.14}, "jersey", plain("Ochre")),
    ),
    RackItem("dots", "Dotted", Worn("tshirt", {"sleeve": -0.02}, "jersey", dict(PRINTS)["Dots"])),
)


def rack_from(names: str) -> tuple[RackItem, ...]:
    """The rack with the entries or designs called `names` (by commas) first. Raises `UsageError` for a name that is
    neither."""
    first: list[RackItem] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        found = [item for item in RACK if name in (item.name, item.worn.design)]
        if not found:
            raise UsageError(f"{name}: nothing on the rack is called so; there are {', '.join(i.name for i in RACK)}")
        first += [item for item in found if item not in first]
    return (*first, *(item for item in RACK if item not in first))


def fabric_names() -> tuple[str, ...]:
    """The fabrics that garments can be cut from."""
    return tuple(load_fabrics())

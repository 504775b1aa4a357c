"""The screens of a visit, one a file. `main.py` hands `SCREENS` to the app."""

from game.protocol.snapshot import Screen as Name
from scenes.attract import Attract
from scenes.consent import Consent
from scenes.goodbye import Goodbye
from scenes.keep import Keep
from scenes.maintenance import Maintenance
from scenes.mirror import Mirror
from scenes.reveal import Reveal
from scenes.scan import Scan
from scenes.screen import Screen

SCREENS: dict[Name, type[Screen]] = {
    Name.ATTRACT: Attract,
    Name.CONSENT: Consent,
    Name.SCAN: Scan,
    Name.REVEAL: Reveal,
    Name.MIRROR: Mirror,
    Name.KEEP: Keep,
    Name.GOODBYE: Goodbye,
    Name.MAINTENANCE: Maintenance,
}

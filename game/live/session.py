"""The session: one visit after another, from someone stepping in to the last byte forgotten."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from game.forgetting import overwrite_small_blocks
from game.live.clock import Clock, ManualClock, SystemClock
from game.live.messages import Keepsake, Known, Order, Sewing, Task
from game.live.patience import Patience
from game.live.presence import Presence
from game.live.rates import Rates
from game.live.runners import LockstepRunner, Runner, ThreadedRunner
from game.live.visit import Visit
from game.live.wardrobe import Wardrobe
from game.live.works import Parts, Works
from game.protocol import commands as c
from game.protocol.keeping import ConsentGiven
from game.protocol.snapshot import RackItem, Screen, Shopper, Snapshot, Worn
from game.rack import COLORS, PRINTS, RACK, fabric_names
from solver.errors import UsageError

_log = logging.getLogger("cheval")
TURN_S = 1.0 / 60.0
"""The session looks at its mail at least so often."""
PUBLISH_S = 0.1
"""A snapshot is never older."""
SERVING = (Screen.SCAN, Screen.REVEAL, Screen.MIRROR, Screen.KEEP)
"""Screens on which something is known of the shopper."""


class MirrorSession:
    """Fulfils `game.protocol.session.Session`. Open it with `open_session`."""

    name = "session"
    threads, niceness = 1, 0

    def __init__(
        self,
        parts: Parts,
        clock: Clock,
        *,
        rack: Sequence[RackItem] = RACK,
        patience: Patience | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall()` is the time of day [s since the epoch], for the consent."""
        self.bell = threading.Event()
        self.works = Works(parts, clock, self.bell.set)
        self._clock, self._wall = clock, wall
        self._rack, self._patience = tuple(rack), patience or Patience()
        self._keeper = parts.keeper
        self._wishes: deque[c.Command] = deque()
        self._presence = Presence()
        self._visit = self._scan = self._sequence = 0
        self._garments = 0
        self._screen, self._since = Screen.ATTRACT, clock.now()
        self._resume = Screen.ATTRACT
        self._armed = True
        self._wiped = True
        self._wipe_at, self._wipe_s = clock.now(), 0.0
        self._failures = 0
        self._source_over = False
        self._maintenance = self._camera_problem = self._notice = ""
        self._notice_at = self._published_at = self._well_since = clock.now()
        self._rates = Rates(self.works)
        self._forget()
        self._snapshot = self._compose(clock.now())
        self._runner: Runner | None = None

    # ---------------------------------------------------------------- what the app sees

    def latest(self) -> Snapshot:
        """The newest snapshot; never waits."""
        return self._snapshot

    def ask(self, command: c.Command) -> None:
        """Passes a wish on; never waits."""
        self._wishes.append(command)
        self.bell.set()

    def advance(self, seconds: float) -> None:
        """In lock-step: does all the work of the next `seconds`. Threaded: does nothing."""
        if self._runner is not None:
            self._runner.advance(seconds)

    def run_with(self, runner: Runner) -> None:
        """From now on `runner` drives the session and its works."""
        self._runner = runner

    def close(self) -> None:
        """Ends all work, closes the source and forgets the shopper. Safe to call twice. Raises `ChevalError` where a
        thread does not end."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
            self._wipe(self._clock.now())
            self._enter(Screen.ATTRACT, self._clock.now())
            self._snapshot = self._compose(self._clock.now())

    # ---------------------------------------------------------------- one turn

    def turn(self) -> float:
        """Reads the mail, hears the wishes, watches the time, publishes. Returns when to be turned again [s]."""
        now = self._clock.now()
        self._changed = False
        try:
            self._turn(now)
        except Exception as error:
            # A fault of the program: the visit ends, the mirror does not.
            _log.exception("the session failed")
            self._wipe(now)
            self._maintenance, self._well_since = f"the session failed ({type(error).__name__}: {error})", now
            self._resume, self._armed = Screen.ATTRACT, False
            self._enter(Screen.MAINTENANCE, now)
        if self._changed or now - self._published_at >= PUBLISH_S:
            self._published_at = now
            self._snapshot = self._compose(now)
        return TURN_S

    def _turn(self, now: float) -> None:
        self._look_after_works(now)
        self._read_mail(now)
        while self._wishes:
            self._changed = True
            self._hear(self._wishes.popleft(), now)
        self._watch_time(now)
        self.works.command(self._order())

    def _order(self) -> Order:
        if self._screen is Screen.SCAN:
            task = Task.REFINE if self._known.evidence is not None else Task.SCAN
            return Order(self._visit, self._scan, task, evidence=self._known.evidence)
        if self._screen in (Screen.REVEAL, Screen.MIRROR, Screen.KEEP):
            return Order(self._visit, self._scan, Task.FOLLOW, shopper=self._shopper)
        return Order(self._visit, self._scan)

    def _read_mail(self, now: float) -> None:
        works = self.works
        if (silence := works.no_picture.take()) is not None:
            self._changed = self._changed or self._camera_problem != silence.message
            self._camera_problem = silence.message
            self._source_over = silence.over
        if (tracked := works.tracked.take()) is not None:
            self._changed = True
            self._camera_problem, self._source_over = "", False
            self._presence.look(tracked.present, now)
            if tracked.order.visit == self._visit and self._screen in SERVING and tracked.moment is not None:
                self._known.moment = tracked.moment
                self._rates.add_picture(now, tracked.moment.frame.captured_at)
                turn = tracked.turn
                if turn is not None and tracked.order.scan == self._scan and self._screen is Screen.SCAN:
                    self._known.guidance, self._known.turned, self._known.share = turn.guidance, turn.turned, turn.share
                    if self._known.evidence is None and turn.evidence is not None:
                        self._known.evidence, self._known.refining = turn.evidence, 0.0
        if (grown := works.growing.take()) is not None and self._is_of_scan(grown.order):
            self._known.surface, self._known.seen, self._changed = grown.surface, grown.seen, True
        if (refining := works.refining.take()) is not None and self._is_of_scan(refining.order):
            self._known.refining, self._changed = refining.share, True
        if (scanned := works.scanned.take()) is not None and self._is_of_scan(scanned.order):
            self._changed = True
            if isinstance(scanned, Known):
                self._know(scanned.shopper, now)
            else:
                self._scan_again(now)
                self._tell(scanned.reason, now)
        self._read_wardrobe_mail(now)
        if (kept := works.kept.take()) is not None and kept.order.visit == self._visit:
            self._known.keeping, self._known.keeping_asked, self._changed = kept.keeping, False, True
            if kept.keeping is None:
                self._tell(kept.reason, now)

    def _read_wardrobe_mail(self, now: float) -> None:
        works = self.works
        if (share := works.sewing_share.take()) is not None and share.order.visit == self._visit:
            self._known.sewing_share, self._changed = share.share, True
        if (refused := works.refused.take()) is not None and refused.order.visit == self._visit:
            self._changed = True
            self._sew(self._known.wardrobe.refuse(refused.number))
            self._tell(refused.reason, now)
        if (shown := works.shown.take()) is not None and shown.order.visit == self._visit and self._shopper:
            self._known.dressed, self._changed = shown.dressed, True
            self._known.wardrobe.show(shown.number)
            self._rates.add_dressed(now, shown.dressed.captured_at)

    def _is_of_scan(self, order: Order) -> bool:
        return order.visit == self._visit and order.scan == self._scan and self._screen is Screen.SCAN

    # ---------------------------------------------------------------- wishes

    def _hear(self, wish: c.Command, now: float) -> None:
        screen, at_mirror = self._screen, self._screen in (Screen.MIRROR, Screen.KEEP)
        match wish:
            case c.Begin() if screen is Screen.ATTRACT:
                self._enter(Screen.CONSENT, now)
            case c.Consent(given=True) if screen is Screen.CONSENT and self._wiped:
                self._known.consent = ConsentGiven(self._wall())
                self._scan += 1
                self._enter(Screen.SCAN, now)
            case c.Consent(given=False) if screen is Screen.CONSENT:
                self._armed = False
                self._enter(Screen.ATTRACT, now)
            case c.Continue() if screen is Screen.REVEAL:
                self._enter(Screen.MIRROR, now)
            case c.Continue() | c.GoToKeep() if screen is Screen.MIRROR:
                self._enter(Screen.KEEP, now)
            case c.Continue() if screen is Screen.KEEP:
                self._leave(now)
            case c.ScanAgain() if screen in SERVING:
                self._scan_again(now)
            case c.See():
                self._known.see_as = wish.as_
            case c.BackToMirror() if screen is Screen.KEEP:
                self._enter(Screen.MIRROR, now)
            case c.Keep() if screen is Screen.KEEP:
                self._keep(now)
            case c.Leave() if screen in SERVING:
                self._leave(now)
            case c.Leave() if screen is Screen.CONSENT:
                self._armed = False
                self._enter(Screen.ATTRACT, now)
            case _ if at_mirror or screen is Screen.REVEAL:
                self._alter(wish, now)
            case _:
                _log.debug("%s is not heard on the screen %s", wish, screen.value)

    def _alter(self, wish: c.Command, now: float) -> None:
        try:
            self._sew(self._known.wardrobe.hear(wish))
        except UsageError as error:
            self._tell(str(error), now)

    def _sew(self, worn: Worn | None) -> None:
        if worn is not None and self._shopper is not None:
            self._known.sewing_share = 0.0
            self._garments = self._known.wardrobe.number
            self.works.sew(Sewing(self._order(), self._known.wardrobe.number, worn, self._shopper))

    def _keep(self, now: float) -> None:
        known = self._known
        if self._keeper is None:
            self._tell("Profiles cannot be kept on this mirror.", now)
        elif known.shopper and known.consent and known.keep_notice and not known.keeping_asked:
            known.keeping_asked = True
            worn = known.wardrobe.worn
            self.works.keep(Keepsake(self._order(), known.shopper, worn, known.consent, known.keep_notice))

    # ---------------------------------------------------------------- the course of a visit

    def _enter(self, screen: Screen, now: float) -> None:
        self._screen, self._since, self._changed = screen, now, True
        # The day of erasure counts from when the question is asked; what is kept is what was shown.
        self._known.keep_notice = self._keeper.notice() if self._keeper and screen is Screen.KEEP else None

    def _know(self, shopper: Shopper, now: float) -> None:
        self._known.shopper, self._known.evidence = shopper, None
        self._enter(Screen.REVEAL, now)
        self._sew(self._known.wardrobe.begin())

    def _scan_again(self, now: float) -> None:
        """Once more from the beginning of the turn; what was known of the body is dropped."""
        consent = self._known.consent
        self._wipe(now)
        self._known.consent = consent
        self._scan += 1
        self._enter(Screen.SCAN, now)

    def _leave(self, now: float) -> None:
        self._armed = False
        self._wipe(now)
        self._enter(Screen.GOODBYE, now)

    def _wipe(self, now: float) -> None:
        """Everything of this visit is forgotten: here at once, by the stages as soon as they have ended a step."""
        self._forget()
        self._visit += 1
        self._wiped, self._wipe_at = False, now
        self.works.command(Order(self._visit, self._scan))
        self.works.clear()

    def _forget(self) -> None:
        self._known, self._changed = Visit(Wardrobe(self._rack, self._garments)), True

    @property
    def _shopper(self) -> Shopper | None:
        return self._known.shopper

    def _watch_time(self, now: float) -> None:
        patience, presence = self._patience, self._presence
        presence.tick(now)
        here, gone, spent = presence.here_s(now), presence.gone_s(now), now - self._since
        if gone > patience.stepped_out:
            self._armed = True
        if not self._wiped:
            self._watch_wipe(now)
        if self._notice and now - self._notice_at > patience.notice:
            self._notice, self._changed = "", True
        match self._screen:
            case Screen.ATTRACT if self._armed and min(here, spent) > patience.stepped_in:
                self._enter(Screen.CONSENT, now)
            case Screen.CONSENT if spent > patience.consent or min(gone, spent) > patience.step_in:
                self._armed = False
                self._enter(Screen.ATTRACT, now)
            case Screen.SCAN if min(gone, spent) > patience.step_in or spent > self._scan_patience:
                self._leave(now)
            case Screen.REVEAL if min(gone, spent) > patience.absent or spent > patience.reveal:
                self._leave(now)
            case Screen.MIRROR if min(gone, spent) > patience.absent:
                self._leave(now)
            case Screen.KEEP if min(gone, spent) > patience.keep_absent or spent > patience.keep:
                self._leave(now)
            case Screen.GOODBYE if spent > patience.goodbye and self._wiped:
                self._enter(Screen.ATTRACT, now)

    @property
    def _scan_patience(self) -> float:
        """Who has turned is not sent away because the machine is slow."""
        turning = self._known.evidence is None
        return self._patience.scan + (0.0 if turning else self._patience.refinement)

    def _watch_wipe(self, now: float) -> None:
        if self.works.forgotten(self._visit):
            # What was on its way while the stages were told lies in a mailbox now.
            self.works.clear()
            # Much of it was let go by this thread.
            overwrite_small_blocks()
            self._wiped, self._wipe_s = True, now - self._wipe_at
            if self._wipe_s > self._patience.wipe:
                _log.warning("wiping took %.1f s", self._wipe_s)

    # ---------------------------------------------------------------- failures

    def _look_after_works(self, now: float) -> None:
        workers = self.works.workers
        troubles = [worker.trouble for worker in workers if worker.trouble is not None]
        count = sum(worker.failure_count for worker in workers)
        failed, self._failures = count > self._failures, count
        silent = self._camera_problem and not self._source_over
        if troubles or failed or silent:
            self._well_since = now
        if troubles:
            camera = next((trouble for trouble in troubles if trouble.stage == "capture"), None)
            if camera is not None:
                self._camera_problem = str(camera.error)
            self._maintenance = "; ".join(str(trouble.error) for trouble in troubles)
        elif silent:
            self._maintenance = self._camera_problem
        if self._screen is not Screen.MAINTENANCE:
            if troubles or failed or silent:
                if not self._maintenance:
                    self._maintenance = "a part of the mirror failed and was started again"
                self._resume = self._screen
                self._enter(Screen.MAINTENANCE, now)
        elif now - self._well_since >= self._patience.mended:
            self._mended(now)
        elif self._resume in SERVING and now - self._since > self._patience.mending:
            self._wipe(now)
            self._resume, self._armed = Screen.ATTRACT, False

    def _mended(self, now: float) -> None:
        self._maintenance = ""
        if self._resume is Screen.SCAN:
            self._scan_again(now)
            return
        self._enter(self._resume, now)
        if self._resume in SERVING:
            # The garment may be what was lost.
            self._sew(self._known.wardrobe.again())

    def _tell(self, notice: str, now: float) -> None:
        self._notice, self._notice_at, self._changed = notice, now, True

    # ---------------------------------------------------------------- what is published

    def _compose(self, now: float) -> Snapshot:
        self._sequence += 1
        screen = self._screen
        snapshot = Snapshot(
            sequence=self._sequence,
            now=now,
            screen=screen,
            screen_since=self._since,
            camera_problem=self._camera_problem,
            maintenance=self._maintenance if screen is Screen.MAINTENANCE else "",
            scan=self._known.progress if screen is Screen.SCAN else None,
            rack=self._rack,
            fabrics=fabric_names(),
            prints=PRINTS,
            colors=COLORS,
            notice=self._notice,
            can_keep=self._keeper is not None,
            rates=self._rates(now) | {"wipe_s": self._wipe_s},
        )
        return self._known.shown(snapshot) if screen in SERVING else snapshot


def open_session(
    parts: Parts,
    *,
    lockstep: bool = False,
    rack: Sequence[RackItem] = RACK,
    patience: Patience | None = None,
) -> MirrorSession:
    """A running session: threaded in real time, or in lock-step with `advance`, where the same seed and the same wishes
    give the same snapshots."""
    clock = ManualClock() if lockstep else SystemClock()
    # The time of day would differ from run to run.
    wall = clock.now if lockstep else time.time
    session = MirrorSession(parts, clock, rack=rack, patience=patience, wall=wall)
    turnables = (*session.works.turnables, session)
    if isinstance(clock, ManualClock):
        session.run_with(LockstepRunner(turnables, clock))
    else:
        session.run_with(ThreadedRunner(turnables))
    return session

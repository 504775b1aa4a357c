"""Visits back to back at the live mirror, whole ones and such as go wrong: memory, objects, profiles, traces."""

from __future__ import annotations

import gc
import math
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._canaries import Canaries
from benchmarks._footprint import count_from_now_on, footprint, types_of_objects
from benchmarks._reels import Reel
from benchmarks._trend import Trend, fit_trend
from benchmarks._visits import PAIR_PHASES, PHASES, SCANNED, Course, ServedMirror, digest_of_profile
from game.assets import load_body_model
from game.attendant import Tastes
from game.console import Progress
from game.forgetting import overwrite_when_freed
from game.profiles.secret import Secret
from game.profiles.store import ProfileStore
from solver.body import BodyModel
from solver.errors import ChevalError, UsageError

MINUTES = 3.0
"""How long, unless the environment variable `CHEVAL_SOAK_MINUTES` says otherwise. The last visit is ended."""
WARM_UP = 5
"""Visits after which caches are full."""
LEAST_SETTLED = 4
"""Visits after the warm-up that a trend is fitted to."""
FLAT_MB_PER_H = 20.0
"""Memory is flat when its trend is surely below this."""
TASTES = Tastes(looks=(0, 4), admire_s=1.0, reveal_s=1.5, keep_s=0.5)
SHOPPERS = ("sim:seed=100,fps=15,seconds=6", "sim:seed=117,fps=15,seconds=7", "sim:seed=133,fps=15,seconds=6")
PAIR = "sim:seed=100,fps=15,seconds=6,other=beside"
COURSES = (
    Course.WHOLE, Course.DECLINES, Course.UNPLUGGED, Course.WHOLE, Course.FAILS, Course.WALKS_OUT, Course.COMPANY,
)  # fmt: skip
"""One after the other; with three shoppers everyone goes every course."""
GREATEST = 5
"""Types of objects that are named."""


def run(json: bool) -> dict[str, Any]:
    """Serves shoppers one after the other and says what every visit left behind.

    Raises `UsageError` for a time that is none.
    """
    minutes = _minutes()
    perturbed = overwrite_when_freed()
    count_from_now_on()
    model = load_body_model()
    with tempfile.TemporaryDirectory() as folder, _rendered(Path(folder), model, json) as (reels, pair):
        store = ProfileStore(Path(folder) / "profiles.db")
        mirror = ServedMirror(store, model, reels[0], TASTES)
        try:
            visits, types = _serve(mirror, reels, pair, minutes, json)
        finally:
            mirror.close()
        lost = _lost(store, mirror, visits)
    result: dict[str, Any] = {
        "visits": visits,
        "overwritten_when_freed": perturbed,
        "profiles": len(mirror.kept),
        "lost_profiles": lost,
        "growing_types": types,
    }
    result |= _verdict(visits, lost)
    if not json:
        _print(result)
    return result


def _minutes() -> float:
    text = os.environ.get("CHEVAL_SOAK_MINUTES", str(MINUTES))
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0.0 < minutes < math.inf:
        raise UsageError(f"CHEVAL_SOAK_MINUTES={text}: it is how long visits begin, such as 60 for an hour")
    return minutes


@contextmanager
def _rendered(folder: Path, model: BodyModel, json: bool) -> Iterator[tuple[list[Reel], Reel]]:
    """The shoppers, and two people at once. `CHEVAL_SOAK_REELS` names a folder where reels are kept for the next
    run."""
    kept = Path(os.environ.get("CHEVAL_SOAK_REELS", folder))
    kept.mkdir(parents=True, exist_ok=True)
    reels = list[Reel]()
    try:
        for spec, phases in (*((spec, PHASES) for spec in SHOPPERS), (PAIR, PAIR_PHASES)):
            with Progress(f"rendering {spec}") as progress:
                reels.append(Reel(kept / f"{spec.removeprefix('sim:')}.reel", spec, model, phases, progress))
        yield reels[:-1], reels[-1]
    finally:
        for reel in reels:
            reel.close()


def _serve(
    mirror: ServedMirror, reels: list[Reel], pair: Reel, minutes: float, json: bool
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The visits, and the types of objects of which there were most more at the end than after the warm-up."""
    visits = list[dict[str, Any]]()
    settled: Counter[str] | None = None
    mirror.warm_up()
    began = time.monotonic()
    with Progress("visits") as progress:
        while (spent := time.monotonic() - began) < 60.0 * minutes:
            progress(spent / (60.0 * minutes))
            number = len(visits)
            if number == WARM_UP:
                settled = types_of_objects()
            course, reel = COURSES[number % len(COURSES)], reels[number % len(reels)]
            visits.append(_visit(mirror, course, reel, pair, began, prove=number == 0))
            if not json:
                _print_visit(number, visits[-1])
            if visits[-1]["failed"]:
                break
    grown = types_of_objects() - settled if settled is not None else Counter[str]()
    return visits, dict(grown.most_common(GREATEST))


def _visit(mirror: ServedMirror, course: Course, reel: Reel, pair: Reel, began: float, prove: bool) -> dict[str, Any]:
    canaries = Canaries() if sys.platform == "linux" else None
    failures = mirror.failure_count
    visit: dict[str, Any] = {"course": course.value, "shopper": reel.info.name, "failed": "", "traces": None}
    try:
        served = mirror.serve(course, reel, pair, canaries, prove)
        if canaries:
            visit["traces"] = dict(Counter(hit.name for hit in canaries.search()))
            visit["looked_for"] = sorted(canaries.names)
            visit["there"] = sorted(served.there)
        visit |= {
            "screens": [screen.value for screen in served.screens],
            "seconds": round(served.seconds, 1),
            "wipe_s": served.wipe_s,
            "kept": served.kept,
            "remark": served.remark,
        }
        mirror.say_goodbye()
    except ChevalError as error:
        visit["failed"] = str(error)
    del canaries
    gc.collect()
    visit["failures"] = mirror.failure_count - failures
    visit["at_s"] = round(time.monotonic() - began, 1)
    return visit | footprint(mirror.app.display.context)


def _lost(store: ProfileStore, mirror: ServedMirror, visits: list[dict[str, Any]]) -> list[str]:
    """Profiles that were promised and do not hold what they should, and visits that kept none."""
    scanned = {course.value for course in SCANNED}
    lost = [
        f"visit {number} ({visit['course']}) kept nothing"
        for number, visit in enumerate(visits)
        if visit["course"] in scanned and not visit["failed"] and visit["kept"] != 1
    ]
    for profile_id, kept in mirror.kept.items():
        try:
            with Secret(kept.secret) as secret:
                profile = store.open(profile_id, secret)
            if digest_of_profile(profile) != kept.digest:
                lost.append(f"{profile_id} holds another body")
            profile.wipe()
        except ChevalError as error:
            lost.append(f"{profile_id}: {error}")
    return lost


def _verdict(visits: list[dict[str, Any]], lost: list[str]) -> dict[str, Any]:
    settled = [visit for visit in visits[WARM_UP:] if not visit["failed"]]
    trends: dict[str, Trend] = {}
    if len(settled) >= LEAST_SETTLED:
        hours = [visit["at_s"] / 3600.0 for visit in settled]
        for name in settled[0]["memory_mb"]:
            trends[name] = fit_trend(hours, [visit["memory_mb"][name] for visit in settled])
        trends["python_objects"] = fit_trend(hours, [visit["counts"]["python_objects"] for visit in settled])
    memory = trends.get("anonymous")
    wiped = [visit.get("wipe_s") for visit in visits if visit["course"] != Course.DECLINES.value]
    traces = [visit["traces"] for visit in visits]
    # Faults that were asked for are no failures; a camera may be looked for in vain several times.
    unasked = [
        visit["failures"]
        for visit in visits
        if visit["course"] not in (Course.UNPLUGGED.value, Course.FAILS.value) or visit["failed"]
    ]
    return {
        "trends_per_h": {name: trend._asdict() for name, trend in trends.items()},
        "memory_flat": None if memory is None else _flat(memory),
        "orphans": _orphans(settled),
        "no_lost_profile": not lost,
        "no_failure": not any(unasked) and not any(visit["failed"] for visit in visits),
        "no_trace": None if None in traces else not any(traces),
        "wiped_in_time": None not in wiped,
        "longest_wipe_s": max((seconds for seconds in wiped if seconds is not None), default=None),
    }


def _flat(trend: Trend) -> bool | None:
    """Surely below the bound, surely above it, or neither."""
    if trend.upper < FLAT_MB_PER_H:
        return True
    return False if trend.lower > FLAT_MB_PER_H else None


def _orphans(settled: list[dict[str, Any]]) -> dict[str, int] | None:
    """Objects of driver and system that are more after the last visit than ever in the first half, by kind."""
    if len(settled) < LEAST_SETTLED:
        return None
    half = settled[: len(settled) // 2]
    kinds = ("textures", "vertex_buffers", "index_buffers", "shaders", "outputs", "states", "pooled_textures",
             "threads", "open_files")  # fmt: skip
    grown = {kind: settled[-1]["counts"][kind] - max(visit["counts"][kind] for visit in half) for kind in kinds}
    return {kind: count for kind, count in grown.items() if count > 0}


def _print_visit(number: int, visit: dict[str, Any]) -> None:
    memory, counts = visit["memory_mb"], visit["counts"]
    traces = "not looked for" if visit["traces"] is None else visit["traces"] or "none"
    wipe = visit.get("wipe_s")
    remarks = f"{visit.get('remark', '')} {visit['failed']}".strip()
    if not visit.get("kept"):
        remarks += f" ({' '.join(visit.get('screens', ()))})"
    print(
        f"{number:3d} {visit['at_s']:6.0f} s  {visit['course']}, {visit.get('seconds', 0.0):.0f} s: "
        f"{memory.get('anonymous', math.nan):.0f} MB anonymous, {memory.get('allocated', math.nan):.0f} allocated; "
        f"{counts['textures']} textures, {counts['vertex_buffers']} vertex buffers, {counts['states']} states, "
        f"{counts['threads']} threads, {counts['open_files']} files, {counts['mappings']} mappings, "
        f"{counts['python_objects']} objects; {visit.get('kept', 0)} kept, "
        f"wiped {'-' if wipe is None else f'in {wipe:.2f} s'}, traces: {traces} {remarks}",
        flush=True,
    )


def _print(result: dict[str, Any]) -> None:
    visits = result["visits"]
    print(f"{len(visits)} visits in {visits[-1]['at_s'] / 60.0:.1f} min; {result['profiles']} profiles kept")
    for name, trend in result["trends_per_h"].items():
        unit = "" if name == "python_objects" else " MB"
        print(
            f"  {name}: {trend['slope']:+.1f}{unit} an hour "
            f"(95 %: {trend['lower']:+.1f} to {trend['upper']:+.1f}), level {trend['level']:.0f}{unit}"
        )
    flat = {None: "not known from so few visits", True: "flat", False: "GROWS"}[result["memory_flat"]]
    print(f"memory (surely below {FLAT_MB_PER_H:g} MB an hour): {flat}")
    orphans = result["orphans"]
    print(f"orphans: {'not known from so few visits' if orphans is None else orphans or 'none'}")
    if result["growing_types"]:
        print("  more objects:", ", ".join(f"{name} {count:+d}" for name, count in result["growing_types"].items()))
    for name, words in (
        ("no_lost_profile", f"all {result['profiles']} profiles opened, and hold what they should"),
        ("no_failure", "no failure but those that were asked for"),
        ("no_trace", "nothing of a shopper in memory 2 s after leaving"),
        ("wiped_in_time", "every wipe ended within 2 s"),
    ):
        print(f"{words}: {'not known' if result[name] is None else 'yes' if result[name] else 'NO'}")
    for line in result["lost_profiles"]:
        print(f"  {line}")
    if result["longest_wipe_s"] is not None:
        print(f"longest wipe {result['longest_wipe_s']:.2f} s")

"""Visits back to back at the whole mirror, in lock-step: memory, driver objects, profiles, traces of shoppers."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._canaries import Canaries
from benchmarks._visits import LockstepMirror, remember
from game.attendant import Tastes
from game.console import Progress
from game.forgetting import overwrite_when_freed
from game.profiles.secret import Secret
from game.profiles.store import ProfileStore
from solver.errors import ChevalError, UsageError

VISITS = 6
"""How many, unless the environment variable `CHEVAL_SOAK_VISITS` says otherwise: a visit is about 40 s of the mirror's
time, so that 90 are an hour."""
WARM_UP = 2
"""Visits after which caches are full."""
FLAT_MB = 4.0
"""Memory may grow by so much a visit, as the slope of a line through what comes after the warm-up."""
TASTES = Tastes(looks=(0, 4), admire_s=1.0, reveal_s=1.5, keep_s=0.5)
FIRST_SEED = 100


def run(json: bool) -> dict[str, Any]:
    """Serves shoppers one after the other and says what every visit left behind.

    Raises `UsageError` for a number of visits that is none.
    """
    count = _visit_count()
    perturbed = overwrite_when_freed()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        store = ProfileStore(Path(folder) / "profiles.db")
        mirror = LockstepMirror(store, FIRST_SEED, TASTES)
        try:
            visits = []
            with Progress("visits") as progress:
                for number in range(count):
                    visits.append(_visit(mirror, number))
                    progress((number + 1) / count)
                    if not json:
                        _print_visit(visits[-1])
                    if visits[-1]["failed"]:
                        break
            simulated = mirror.session.latest().now
        finally:
            mirror.close()
        lost = _lost(store, mirror.kept, visits)
    result: dict[str, Any] = {
        "visits": visits,
        "overwritten_when_freed": perturbed,
        "simulated_s": round(simulated, 1),
        "wall_s": round(time.monotonic() - began, 1),
        "profiles": len(mirror.kept),
        "lost_profiles": lost,
    }
    result |= _verdict(visits, lost)
    if not json:
        _print(result)
    return result


def _visit_count() -> int:
    text = os.environ.get("CHEVAL_SOAK_VISITS", str(VISITS))
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"CHEVAL_SOAK_VISITS={text}: it is the number of visits, such as 90 for about an hour")
    return int(text)


def _visit(mirror: LockstepMirror, number: int) -> dict[str, Any]:
    canaries = Canaries() if sys.platform == "linux" else None
    session, failed = mirror.session, ""
    kept, failures, begin, began = len(mirror.kept), _failures(mirror), session.latest().now, time.monotonic()
    try:
        mirror.serve(lambda served: remember(canaries, served) if canaries else None)
    except ChevalError as error:
        failed = str(error)
    gc.collect()
    traces = dict(Counter(hit.name for hit in canaries.search())) if canaries and not failed else None
    wipe_s = session.latest().rates["wipe_s"]
    if not failed:
        mirror.say_goodbye()
        gc.collect()
    return {
        "visit": number,
        "simulated_s": round(session.latest().now - begin, 1),
        "wall_s": round(time.monotonic() - began, 1),
        "rss_mb": _resident_mb(),
        "driver": mirror.app.display.context.object_counts,
        "threads": _count("/proc/self/task") or threading.active_count(),
        "open_files": _count("/proc/self/fd"),
        "python_objects": len(gc.get_objects()),
        "kept": len(mirror.kept) - kept,
        "wipe_s": round(wipe_s, 3),
        "failures": _failures(mirror) - failures,
        "failed": failed,
        "traces": traces,
    }


def _lost(store: ProfileStore, kept: dict[str, str], visits: list[dict[str, Any]]) -> list[str]:
    """Profiles that were promised and cannot be opened, and visits that kept none."""
    lost = [f"visit {visit['visit']} kept nothing" for visit in visits if visit["kept"] != 1]
    for profile_id, words in kept.items():
        try:
            with Secret(words) as secret:
                store.open(profile_id, secret).wipe()
        except ChevalError as error:
            lost.append(f"{profile_id}: {error}")
    return lost


def _verdict(visits: list[dict[str, Any]], lost: list[str]) -> dict[str, Any]:
    settled = visits[WARM_UP:]
    slope = None
    if len(settled) >= 3:
        slope = round(float(np.polyfit(range(len(settled)), [visit["rss_mb"] for visit in settled], 1)[0]), 2)
    objects = [tuple(visit["driver"].values()) for visit in settled]
    return {
        "growth_mb_per_visit": slope,
        "memory_flat": None if slope is None else slope <= FLAT_MB,
        "no_orphan": len(set(objects)) == 1 if len(objects) >= 2 else None,
        "no_lost_profile": not lost,
        "no_failure": not any(visit["failures"] or visit["failed"] for visit in visits),
        "no_trace": None if any(visit["traces"] is None for visit in visits) else not any(v["traces"] for v in visits),
        "longest_wipe_s": max(visit["wipe_s"] for visit in visits),
    }


def _failures(mirror: LockstepMirror) -> int:
    return sum(worker.failure_count for worker in mirror.session.works.workers)


def _resident_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def _count(folder: str) -> int:
    try:
        return len(os.listdir(folder))
    except OSError:
        return 0


def _print_visit(visit: dict[str, Any]) -> None:
    driver = visit["driver"]
    traces = "not looked for" if visit["traces"] is None else visit["traces"] or "none"
    print(
        f"visit {visit['visit']:3d}: {visit['simulated_s']:.0f} s in {visit['wall_s']:.0f} s, {visit['rss_mb']:.0f} MB "
        f"resident, "
        f"{driver['textures']} textures, {driver['vertex_buffers']} vertex buffers, {visit['threads']} threads, "
        f"{visit['open_files']} files, {visit['python_objects']} objects, {visit['kept']} kept, "
        f"wipe {visit['wipe_s']:.2f} s, traces: {traces} {visit['failed']}",
        flush=True,
    )


def _print(result: dict[str, Any]) -> None:
    print(f"{len(result['visits'])} visits, {result['simulated_s']:.0f} s of the mirror in {result['wall_s']:.0f} s")
    if result["growth_mb_per_visit"] is None:
        print("too few visits to say whether memory is flat")
    else:
        flat = "flat" if result["memory_flat"] else "GROWS"
        print(f"memory: {result['growth_mb_per_visit']:+.2f} MB a visit (at most {FLAT_MB:g}): {flat}")
    for name, words in (
        ("no_orphan", "no orphan of the driver's objects"),
        ("no_lost_profile", f"no profile of {result['profiles']} lost"),
        ("no_failure", "no failure"),
        ("no_trace", "nothing of a shopper in memory 2 s after leaving"),
    ):
        print(f"{words}: {'not known' if result[name] is None else 'yes' if result[name] else 'NO'}")
    for line in result["lost_profiles"]:
        print(f"  {line}")
    print(f"longest wipe {result['longest_wipe_s']:.2f} s")

"""The account of processor time: who works is seen to work, who waits is not."""

import threading
import time

import pytest

from benchmarks._processor_time import ThreadClock


def test_a_busy_thread_is_told_from_a_waiting_one():
    clock = ThreadClock()
    if not clock.works:
        pytest.skip("this system keeps no account of threads")
    ending = threading.Event()
    spent = []

    def work():
        begin = time.thread_time()
        while time.thread_time() - begin < 0.2:
            pass
        spent.append(time.thread_time())
        ending.wait()

    threads = [
        threading.Thread(target=work, name="cheval-work"),
        threading.Thread(target=ending.wait, name="cheval-rest"),
    ]
    for thread in threads:
        thread.start()
    while not spent:
        time.sleep(0.01)
    shares = clock.lap()
    ending.set()
    for thread in threads:
        thread.join()
    assert shares["work"].busy_s == pytest.approx(spent[0], abs=0.05)
    assert shares["rest"].busy_s < 0.05
    assert next(iter(shares)) == "work"
    assert "main" in shares

"""Numba functions: arrays and scalars in, arrays out, one algorithm a file."""

import os

# Waiting threads must sleep, not spin: MediaPipe and the software rasteriser share the same cores, and a spinning thread
# holds up the one it waits for (docs/decisions/0003). OpenMP reads this once, when the first parallel kernel loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numba  # noqa: E402

# Threads that share a process abort it on the `workqueue` layer, and `omp` is many times faster on short passes.
# Asking for it here, before the first parallel kernel runs, covers every caller.
numba.config.THREADING_LAYER = "omp"

"""Numba functions: arrays and scalars in, arrays out, one algorithm a file."""

import os

# Waiting threads must sleep, not spin: MediaPipe and the software rasteriser share the same cores, and a thread that
# spins holds up the one it waits for (docs/decisions/0003). OpenMP reads this once, as the first parallel kernel loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from numba.core import config

# Threads that share a process abort it on the `workqueue` layer, and `omp` is many times faster on short passes.
# Asking for it here, before the first parallel kernel runs, covers every caller.
config.THREADING_LAYER = "omp"

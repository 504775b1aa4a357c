"""Numba functions: arrays and scalars in, arrays out, one algorithm a file."""

import numba

# Threads that share a process abort it on the `workqueue` layer, and `omp` is many times faster on short passes
# (docs/decisions/0003). Asking for it here, before the first parallel kernel runs, covers every caller.
numba.config.THREADING_LAYER = "omp"

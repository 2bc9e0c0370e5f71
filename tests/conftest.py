"""Settings for all tests."""

import os

# The tests run side by side, on small matrices: a BLAS that starts threads for them only waits for itself.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

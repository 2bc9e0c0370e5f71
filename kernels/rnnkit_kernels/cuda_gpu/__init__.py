"""The GPU path: CUDA C++ printed from a cell's one definition, compiled and launched through CuPy."""

"""From a traced program to CUDA C++."""

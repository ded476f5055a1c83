"""`make gpu-check`: is the package right on a graphics card, and how fast is it there.

``python -m benchmarks.gpu_check --out DIR`` from the top of the repository, nothing installed.
"""

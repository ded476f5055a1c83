"""Makes this folder importable as ``prompt_ensemble_weights``, so that a wheel can carry it."""

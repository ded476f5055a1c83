"""Training and judging the regressors that travel in ``weights/``."""

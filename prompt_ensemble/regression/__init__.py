"""Regression: towers that answer with the embedding itself."""

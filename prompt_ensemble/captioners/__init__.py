"""Captioners: models that look at an image and say in words what is there."""

"""Image towers: networks that turn pixels into one row of features for each image.

``image_tower`` is the way in: it builds, loads and describes the towers of five libraries, each of
which has a module here.
"""

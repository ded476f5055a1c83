"""A small, fair study that can be repeated: BLIP's design against GIT's, both from scratch."""

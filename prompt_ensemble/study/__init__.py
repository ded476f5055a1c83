"""A fair comparison of captioners on the same images: how far they differ, where, and why."""

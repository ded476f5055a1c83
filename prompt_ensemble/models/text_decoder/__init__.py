"""A small decoder that writes text about what it attends to: an image, or an embedding."""

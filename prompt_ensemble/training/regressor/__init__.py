"""Training of an image tower and its head by gradient descent."""

"""Pictures: which files are images, their pixels, and how a model wants them."""

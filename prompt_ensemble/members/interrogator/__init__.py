"""The member that builds a prompt from phrases near to the image, batched."""

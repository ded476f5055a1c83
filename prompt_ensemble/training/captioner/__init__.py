"""Training of a captioner: a frozen image tower and a decoder that may already know texts."""

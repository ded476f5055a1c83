"""Members of an ensemble: what one must offer, and the table of kinds."""

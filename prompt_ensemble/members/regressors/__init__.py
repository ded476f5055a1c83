"""Members that predict the embedding directly."""

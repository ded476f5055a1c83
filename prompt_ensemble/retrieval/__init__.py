"""Retrieval: the phrases and known prompts nearest to an image."""

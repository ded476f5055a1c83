"""Prompts and pairs: read, cleaned, grouped, split, embedded."""

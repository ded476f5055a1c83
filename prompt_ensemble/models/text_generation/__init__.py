"""Searches for the likeliest words, and decoders that keep what they have computed."""

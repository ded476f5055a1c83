"""Heads fitted in closed form to features of frozen towers."""

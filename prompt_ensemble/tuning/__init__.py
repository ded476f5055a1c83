"""Blend weights fitted to a validation set, and judged on groups of prompts held out of it."""

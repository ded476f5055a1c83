"""Datasets: prompts and pairs gathered, de-duplicated and split."""

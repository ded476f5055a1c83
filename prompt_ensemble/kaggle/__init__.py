"""Kaggle: what kernels call there, and what prepares them for it."""

"""The OFA network, which no library carries, and its published checkpoints."""

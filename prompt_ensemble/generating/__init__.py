"""Prompts to images by diffusers: pipelines opened safely, drawn resumably, written as pairs."""

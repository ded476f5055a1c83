"""Fine-tuning of published captioners, so that what they say of an image is its prompt."""

"""From an embedding to the prompt in words that it means: written, composed, chosen."""

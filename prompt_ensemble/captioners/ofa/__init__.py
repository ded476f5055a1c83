"""OFA's image captioner in plain PyTorch: trunk, positions, encoder, decoder, tokenizer."""

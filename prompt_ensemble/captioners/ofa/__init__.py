"""OFA, the authors' image captioner, in plain PyTorch: trunk, positions, encoder, decoder, words."""

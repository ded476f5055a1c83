"""An image tower with a head that predicts the embedding of the prompt, and its folder."""

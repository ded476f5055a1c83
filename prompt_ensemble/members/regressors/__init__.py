"""Members that predict the embedding directly, from our saved regressors or timm's state dicts."""

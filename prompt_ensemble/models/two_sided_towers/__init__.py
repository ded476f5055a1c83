"""Networks that put pictures and texts into one space, as CLIP does."""

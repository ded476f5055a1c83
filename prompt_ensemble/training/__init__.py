"""Training: recipes that make the models kept in weights/."""

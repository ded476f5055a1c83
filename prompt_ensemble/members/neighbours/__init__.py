"""The member that finds known prompts of similar images in a bank."""

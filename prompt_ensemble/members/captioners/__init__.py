"""Members that say what they see; the text is embedded."""

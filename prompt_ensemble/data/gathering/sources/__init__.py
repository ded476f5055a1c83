"""Where images and their prompts come from: folders, archives, tables; all read in one way."""

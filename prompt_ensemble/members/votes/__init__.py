"""The member that lets known prompts vote on where a prompt lies."""

"""The command line, one file a command. Each declares its options without torch."""

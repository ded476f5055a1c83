"""Commands: one file each, named as on the command line, holding a click command ``command``."""

"""Presets: ensembles by name, one TOML file each."""

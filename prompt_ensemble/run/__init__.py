"""An ensemble over images: configured, run, resumed, blended, written down."""

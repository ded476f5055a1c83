"""Networks that turn pixels into one row of features an image, of five libraries."""

"""What programs write into image files, read as a prompt and how the image was made."""

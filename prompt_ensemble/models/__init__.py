"""Networks and their files: weights found, checked and opened; the device they run on."""

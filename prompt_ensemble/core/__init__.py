"""What all other packages build on: vectors, texts, scores, records, files. No torch."""

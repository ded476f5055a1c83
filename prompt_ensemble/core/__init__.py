"""What every other room stands on: vectors, texts, scores, records, files. No torch."""

"""Images: reading lossless sources, JPEG, packed datasets, batches, and the built-in synthetic smear."""

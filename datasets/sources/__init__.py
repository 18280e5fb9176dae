"""Source images: found in a folder, judged by their own bytes, and read."""

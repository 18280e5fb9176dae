"""Which images belong together, and how a pack's images are divided so that those stand on one side."""

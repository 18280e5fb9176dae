"""Restoring with a trained network: the model file, tiles, consistency with the JPEG file, export, the safety card."""

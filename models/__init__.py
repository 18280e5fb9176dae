"""Restorers: networks, losses, metrics, the training loop and evaluation, on Keras."""

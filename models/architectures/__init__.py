"""The networks, a file each. Each takes degraded images and returns the residual that its last convolution predicts."""

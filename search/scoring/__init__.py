"""What is measured of restorers and codecs after the trials."""

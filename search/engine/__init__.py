"""What runs the trials: the driver, the searcher, early stopping, the files of the run."""

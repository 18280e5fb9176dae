"""The nodes: connecting, checking, bringing files, placing trials, and work on them that is no trial."""

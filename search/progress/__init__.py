"""What a running search shows: lines, a live table, scalars for TensorBoard."""

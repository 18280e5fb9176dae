"""The tables: what they are (spec), how they become files (write), what goes into them (frames), and all of them."""

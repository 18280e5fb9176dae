"""One figure a file: a pure function that gives its table, and a thin one that draws it."""

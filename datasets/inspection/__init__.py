"""What a source folder should not hold: JPEG history, duplicates, and images that are blank, clipped or odd."""

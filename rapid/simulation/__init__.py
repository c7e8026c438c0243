"""A sky, a camera and a night, written as real raw files with a known truth."""

"""Drawing panels with nothing but numpy and Pillow: fast, antialiased, and the same bytes every time."""

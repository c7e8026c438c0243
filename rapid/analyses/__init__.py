"""What the service itself looks at: one analysis a file, on the core alone."""

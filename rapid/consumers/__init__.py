"""What the bus says, as values: sources that announce raw files."""

"""What is shown: pictures, tables, the feed on a page."""

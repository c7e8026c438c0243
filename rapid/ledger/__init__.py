"""What is written down: arrivals, attempts, results, dead letters and the feed."""

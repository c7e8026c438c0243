"""From an announcement to a published row: register, queue, attempt, publish."""

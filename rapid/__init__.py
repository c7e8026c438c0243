"""Rapid: an event-driven observing service for a telescope summit."""

__version__ = "0.1.0"

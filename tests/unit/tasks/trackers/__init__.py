"""Trackers, each on payloads of the shape it sends."""

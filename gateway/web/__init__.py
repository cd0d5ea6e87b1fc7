"""The HTTP edge: routes around the line, and nothing that decides."""

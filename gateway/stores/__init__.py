"""What the ports of the line rest on: memory (the reference) and SQLite."""

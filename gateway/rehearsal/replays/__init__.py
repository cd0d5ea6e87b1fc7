"""What recorded calls would have come to under other policies, and what shadow rules saw."""

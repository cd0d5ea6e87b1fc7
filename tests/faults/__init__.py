"""Faults of the embedded ledger: power cuts, crashes at named steps, errors of the disk."""

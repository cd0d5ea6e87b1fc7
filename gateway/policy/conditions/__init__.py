"""Conditions in CEL: read, checked, bounded, said better, printed again."""

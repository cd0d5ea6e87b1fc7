"""
What trackers say: proof that it is theirs, and their messages as changes and outcomes.

One file for each tracker; all pure. A message is believed only after its proof was checked over
its very bytes, and whether its id was seen before is for the store to say.
"""

"""
What a policy would do, shown before it does it.

Explanations of one decision, test cases, replays of what was recorded, differences in words. All
pure: the same plans, decisions and counters as the line uses, the clock an argument, and files
and the log read by others.
"""

"""
How fast the gateway is, beside a bare proxy (and its peers, when asked) in one run.

`python -m benchmarks`, or `make bench`. A figure from another machine or another
hour says little, so every figure here has one of the bare proxy's next to it, taken
in rounds that alternate.
"""

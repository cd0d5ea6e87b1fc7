"""
The providers on the far side. One file per way of reaching them.

`native` passes bytes on untouched, `simulated` makes replies up, `translated` speaks
to everybody else through litellm. `Providers` chooses; it is rebuilt at a reload.
"""

from gateway.upstream.providers import Providers, speaks

__all__ = ["Providers", "speaks"]

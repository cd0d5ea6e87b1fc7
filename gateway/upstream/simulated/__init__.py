"""
A provider that makes its replies up: the same words for the same prompt, every time.

All six routes, plain and streaming, in the shapes the real SDKs accept, so that
everything runs with no key and no network. Options of goodgate.yaml: `latency_ms`,
`chunk_ms`, `tokens` (length of a reply), `error_rate` with `error_status`, `cut_rate`.
Headers that a rule adds to a request come back on its reply, as `x-simulated-sent-NAME`:
so a rule can be tried without a provider to look into.
"""

from gateway.upstream.simulated.provider import Simulated

__all__ = ["Simulated"]

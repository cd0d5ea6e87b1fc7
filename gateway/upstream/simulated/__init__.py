"""
A provider that makes its replies up: the same words for the same prompt, every time.

All six routes, plain and streaming, in the shapes the real SDKs accept, so that
everything runs with no key and no network. Options of goodgate.yaml: `latency_ms`,
`chunk_ms`, `tokens` (length of a reply), `error_rate` with `error_status`, `cut_rate`.
"""

from gateway.upstream.simulated.provider import Simulated

__all__ = ["Simulated"]

"""
Every way the gateway can refuse or fail, in one place.

Each error knows its stable code and the HTTP status it deserves; its text says in
one line what is wrong and what to do. Rendering is left to the edges:
`web.problems` for HTTP, `cli` for a terminal. No text here may carry a secret, a
prompt, or bytes of a request that were not checked.
"""


class GatewayError(Exception):
    """Something the person who meets it can act on."""

    code = "gateway_error"
    status = 500


class InvalidRequest(GatewayError):
    """The request is not a call this wire format understands."""

    code = "invalid_request"
    status = 400


class TaskConflict(GatewayError):
    """Two different tasks are named by one call."""

    code = "task_conflict"
    status = 400


class BodyTooLarge(GatewayError):
    """The body is larger than the gateway takes."""

    code = "body_too_large"
    status = 413


class UnsupportedEncoding(GatewayError):
    """The body is compressed; the gateway reads only plain bodies."""

    code = "unsupported_encoding"
    status = 415


class UnknownCredential(GatewayError):
    """No live key matches the credential presented, or none was presented."""

    code = "unknown_credential"
    status = 401


class NotAllowed(GatewayError):
    """The key is good, but its role may not do this."""

    code = "not_allowed"
    status = 403


class NotFound(GatewayError):
    """Nothing is served at this path, or the thing named does not exist."""

    code = "not_found"
    status = 404


class ReceiptPending(GatewayError):
    """The entry is durable, and not yet such that it can be proven."""

    code = "receipt_pending"
    status = 409


class MethodNotAllowed(GatewayError):
    """The path is served, but not with this method."""

    code = "method_not_allowed"
    status = 405


class ModelUnknown(GatewayError):
    """goodgate.yaml has no such model and no catch-all."""

    code = "model_not_found"
    status = 404


class ModelNotAllowed(GatewayError):
    """The key may not use this model."""

    code = "model_not_allowed"
    status = 400


class RouteUnsupported(GatewayError):
    """The provider that serves this model does not speak this route's format."""

    code = "route_unsupported"
    status = 400


class ExtraMissing(GatewayError):
    """A provider needs an optional package that is not installed (or must not be used)."""

    code = "extra_missing"
    status = 503


class ProviderUnreachable(GatewayError):
    """No connection to the provider could be made."""

    code = "provider_unreachable"
    status = 502


class ProviderTimeout(GatewayError):
    """The provider did not answer in the time set for it."""

    code = "provider_timeout"
    status = 504


class ProviderCut(GatewayError):
    """The provider's reply ended before it was complete."""

    code = "provider_cut"
    status = 502


class LedgerUnavailable(GatewayError):
    """The ledger cannot record the call, so the call is not made: it fails closed."""

    code = "ledger_unavailable"
    status = 503


class StoreUnavailable(GatewayError):
    """The store of quotas and likeness cannot be reached, and the policy lets nothing through."""

    code = "store_unavailable"
    status = 503


class WebhookRefused(GatewayError):
    """What came to a webhook is not its tracker's: no true signature, too old, or garbled."""

    code = "webhook_refused"
    status = 401


class TrackerUnavailable(GatewayError):
    """A tracker cannot be asked now, or does not answer as it should."""

    code = "tracker_unavailable"
    status = 503


class RegistryUnavailable(GatewayError):
    """The file with the keys and the catalogue cannot be read or written now."""

    code = "registry_unavailable"
    status = 503


class ShuttingDown(GatewayError):
    """The gateway is stopping and takes no new calls."""

    code = "shutting_down"
    status = 503


class ConfigError(GatewayError):
    """A setting, goodgate.yaml, a policy or a catalogue cannot be used as written."""

    code = "config_error"
    status = 400


class LedgerCorrupt(GatewayError):
    """The ledger does not hold what it must. Never caught, always fatal."""

    code = "ledger_corrupt"


class TaskUnknown(GatewayError):
    """No task with this id is the caller's to see."""

    code = "task_unknown"
    status = 404


class TaskClosed(GatewayError):
    """The task is closed, and for longer than calls to it are still served."""

    code = "task_closed"
    status = 400


class TaskNotYours(GatewayError):
    """The caller can see the task, and is not among its members."""

    code = "task_not_yours"
    status = 400

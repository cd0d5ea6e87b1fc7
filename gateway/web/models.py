"""`GET /v1/models[/{id}]`: what a key may ask for, in the shape its SDK reads."""

from gateway import wire
from gateway.errors import MethodNotAllowed, ModelUnknown
from gateway.pipeline import Gateway
from gateway.values import WireFormat

PATH = "/v1/models"


def serves(path: str) -> bool:
    """Return whether a path (without prefixes) is a list of models, or one of them."""
    return path == PATH or path.startswith(PATH + "/")


def shape(raw_path: bytes, headers: dict[bytes, bytes]) -> WireFormat:
    """Return whose shape the caller reads: Anthropic's SDKs always send their version."""
    if b"anthropic-version" in headers or raw_path.startswith(b"/anthropic/"):
        return "anthropic"
    return "openai"


async def page(
    gateway: Gateway, method: str, path: str, headers: dict[bytes, bytes], wire_format: WireFormat
) -> bytes:
    """
    Return the body of the list, or of one model.

    Raises:
        UnknownCredential: there is no good key.
        ModelUnknown: the key cannot use a model of this name.

    """
    if method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(f"{PATH} takes GET only.")
    principal, _ = await gateway.authenticate(headers)
    names = [
        name
        for name in gateway.snapshot.upstream.names()
        if not principal.models or name in principal.models
    ]
    if path == PATH:
        return wire.models(wire_format, names)
    name = path.removeprefix(PATH + "/")
    if name not in names:
        raise ModelUnknown(f"There is no such model here. Choose one of GET {PATH}.")
    return wire.model(wire_format, name)

"""How connections are made: TLS, several addresses, and what becomes of the losers."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.upstream import pool
from gateway.upstream.http1 import Failure, HttpError
from tests.upstream.calls import until
from tests.upstream.wires import client, far_side, saying, trusting, whole

A = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"
V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a file with a key and a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "far side")])
    now = datetime.datetime.now(datetime.UTC)  # noqa: TID251 - certificates are checked against it
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)


@pytest.fixture
def served(certificate):
    """Return the far side's TLS context; it offers HTTP/2 too."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_tls_is_checked_and_speaks_http_1_1(certificate, served, monkeypatch):
    monkeypatch.setattr(pool, "tls", lambda: trusting(certificate))
    async with far_side(saying(A, A), ssl=served) as address, client(address) as found:
        first, seen = await whole(found)
        second, _seen = await whole(found)
        assert seen == b"a"
        assert first is second
        negotiated = first._transport.get_extra_info("ssl_object")
        assert negotiated.selected_alpn_protocol() == "http/1.1"


async def test_a_certificate_nobody_vouches_for_is_refused(served):
    async with far_side(saying(A), ssl=served) as address, client(address) as found:
        with pytest.raises(HttpError) as caught:
            await whole(found)
    assert caught.value.failure is Failure.UNREACHABLE


async def test_a_certificate_for_another_name_is_refused(certificate, served, monkeypatch):
    monkeypatch.setattr(pool, "tls", lambda: trusting(certificate))
    async with far_side(saying(A), ssl=served) as address:
        elsewhere = address.replace("127.0.0.1", "localhost")
        async with client(elsewhere) as found:
            with pytest.raises(HttpError) as caught:
                await whole(found)
    assert caught.value.failure is Failure.UNREACHABLE


def test_the_tls_context_is_made_once_and_verifies():
    context = pool.tls()
    assert context is pool.tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def _resolving(monkeypatch, *addresses):
    async def getaddrinfo(_host, port, **_rest):
        family = {True: V6, False: V4}
        return [(family[":" in each], 1, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_the_next_address_is_tried_when_one_refuses(monkeypatch):
    async with far_side(saying(A)) as address, client(address) as found:
        _resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
        _connection, seen = await whole(found)
    assert seen == b"a"


async def test_an_address_that_never_answers_does_not_hold_up_the_next(monkeypatch):
    monkeypatch.setattr(pool, "NEXT_ADDRESS_S", 0.01)
    loop = asyncio.get_running_loop()
    connect, cancelled = loop.create_connection, asyncio.Event()

    async def create_connection(make, host, port, **rest):
        if host == "127.0.0.2":
            try:
                await loop.create_future()
            finally:
                cancelled.set()
        return await connect(make, host, port, **rest)

    monkeypatch.setattr(loop, "create_connection", create_connection)
    async with far_side(saying(A)) as address, client(address) as found:
        _resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
        _connection, seen = await whole(found)
    assert seen == b"a"
    assert cancelled.is_set()


async def test_of_two_connections_made_one_is_ended(monkeypatch):
    loop = asyncio.get_running_loop()
    connect, both, made = loop.create_connection, loop.create_future(), []

    async def create_connection(make, _host, port, **rest):
        mine = await connect(make, "127.0.0.1", port, **rest)
        made.append(mine)
        if len(made) == 2:
            loop.call_soon(both.set_result, None)
        await both
        return mine

    monkeypatch.setattr(pool, "NEXT_ADDRESS_S", 0.01)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    async with far_side(saying(A)) as address, client(address) as found:
        _resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
        _connection, seen = await whole(found)
        assert seen == b"a"
        assert len(made) == 2
        await until(lambda: sum(transport.is_closing() for transport, _made in made) == 1)


async def test_when_no_address_answers_in_time_that_is_told(monkeypatch):
    loop = asyncio.get_running_loop()

    async def create_connection(*_args, **_rest):
        await loop.create_future()

    monkeypatch.setattr(pool, "NEXT_ADDRESS_S", 0.001)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with client("http://example.org", connect_s=0.02) as found:
            _resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
            with pytest.raises(HttpError) as caught:
                await whole(found)
    assert caught.value.failure is Failure.UNCONNECTED


async def test_when_every_address_refuses_late_the_first_reason_stands(monkeypatch):
    loop = asyncio.get_running_loop()

    async def create_connection(_make, host, *_args, **_rest):
        refused = loop.create_future()
        loop.call_later(0.02, refused.set_exception, OSError(host))
        await refused

    monkeypatch.setattr(pool, "NEXT_ADDRESS_S", 0.001)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    _resolving(monkeypatch, "127.0.0.2", "127.0.0.3")
    origin = pool.Origin(host="example.org", port=80, is_tls=False)
    with pytest.raises(OSError, match=r"127\.0\.0\.2"):
        await pool.dial(origin, lambda: pytest.fail("no connection is made"))


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ([(V4, "a")], ["a"]),
        ([(V4, "a"), (V4, "b")], ["a", "b"]),
        ([(V6, "a"), (V6, "b"), (V4, "c"), (V4, "d")], ["a", "c", "b", "d"]),
    ],
)
def test_the_other_family_is_tried_second(found, order):
    assert pool.in_turn([(family, 1, 6, "", each) for family, each in found]) == order

"""The certificates of a development cluster: one CA, the API server, one administrator, the service-account key."""

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

LIFETIME = dt.timedelta(days=3650)
"""As long as a state folder may be kept; the cluster listens on loopback only."""

SERVICE_ADDRESS = "10.96.0.1"
"""The first address of the service range: the API server as pods see it."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who a certificate is for."""

    name: str
    groups: Sequence[str] = ()
    addresses: Sequence[x509.GeneralName] = ()
    usage: ObjectIdentifier


def make(target: Path) -> None:
    """Write all keys and certificates into `target`, the CA's certificate last: when it is there, all are."""
    now = dt.datetime.now(dt.UTC)
    authority = new_authority("decklog-local-ca", now)
    server = Subject(
        name="kube-apiserver",
        usage=ExtendedKeyUsageOID.SERVER_AUTH,
        addresses=(
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address(SERVICE_ADDRESS)),
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes.default.svc"),
        ),
    )
    admin = Subject(name="admin", usage=ExtendedKeyUsageOID.CLIENT_AUTH, groups=("system:masters",))
    for file, subject in (("apiserver", server), ("admin", admin)):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(target / f"{file}.key", private(key))
        _write(target / f"{file}.crt", pem(signed(subject, key, authority, now)))
    accounts_key = ec.generate_private_key(ec.SECP256R1())
    _write(target / "sa.key", private(accounts_key))
    _write(target / "sa.pub", _public(accounts_key))
    _write(target / "ca.crt", pem(authority.certificate))


def new_authority(common_name: str, now: dt.datetime) -> Authority:
    """A CA of our own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def signed(
    subject: Subject, key: ec.EllipticCurvePrivateKey, authority: Authority, now: dt.datetime
) -> x509.Certificate:
    """A certificate that the CA gives to a subject for its key."""
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    name = x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, subject.name)])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(name, authority.certificate.subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([subject.usage]), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    if subject.addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(subject.addresses), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as files hold it (PKCS #8)."""
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, info)


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate as files hold it."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)

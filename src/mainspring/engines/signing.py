"""Ed25519 signatures (RFC 8032) with a key kept in a file of the home, readable by its user only."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mainspring.kernel.errors import Corrupt


class Signer:
    """Signs with the key in a file; the key is made on first use."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file

    def sign(self, message: bytes) -> str:
        """The signature in hex."""
        return self._key().sign(message).hex()

    def public_key(self) -> str:
        """The public key in hex, to be kept where the home's user cannot reach it."""
        return self._key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def _key(self) -> Ed25519PrivateKey:
        if not self._file.exists():
            self._make()
        try:
            key = load_pem_private_key(self._file.read_bytes(), None)
        except ValueError as error:
            raise Corrupt(
                f"signing key {self._file}", wanted="an Ed25519 key in PEM", found="something else"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Corrupt(f"signing key {self._file}", wanted="an Ed25519 key", found=type(key).__name__)
        return key

    def _make(self) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        beside = self._file.with_suffix(f".{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_bytes(pem)
        try:
            # A link, not a rename: whoever comes first wins, and nobody's key is replaced.
            os.link(beside, self._file)
        except FileExistsError:
            pass
        finally:
            beside.unlink()


def is_signed(message: bytes, signature: str, public_key: str) -> bool:
    """Whether `signature` (hex) is that of `message` under `public_key` (hex)."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True

"""Cutting texts to a number of bytes in UTF-8."""

from hashlib import blake2b

ELLIPSIS = "…"


def shortened(text: str, limit_bytes: int) -> str:
    """The beginning of a text that UTF-8 writes with so many bytes."""
    if len(text) * 4 <= limit_bytes:
        return text
    encoded = text[:limit_bytes].encode("utf-8", "surrogatepass")
    if len(encoded) <= limit_bytes and len(text) <= limit_bytes:
        return text
    return encoded[:limit_bytes].decode("utf-8", "ignore")


def distinct(text: str, limit_bytes: int) -> str:
    """The text, or where it is longer its beginning and a digest of the whole: two that differ stay different."""
    if len(text) * 4 <= limit_bytes or len(encoded := text.encode("utf-8", "surrogatepass")) <= limit_bytes:
        return text
    ending = f"{ELLIPSIS}{blake2b(encoded, digest_size=16).hexdigest()}"
    return shortened(text, limit_bytes - len(ending.encode())) + ending

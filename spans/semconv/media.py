"""Media in messages, and the bytes that stand where text belongs: base64 is named, never repeated.

Everything here is linear in the length of what it looks at: payloads come from outside.
"""

import re
from collections.abc import Mapping
from typing import Any

MEDIA_TYPES = {
    "image": "image", "image_url": "image", "input_image": "image", "output_image": "image", "image_file": "image",
    "image_content": "image", "computer_screenshot": "image", "audio": "audio", "input_audio": "audio",
    "output_audio": "audio", "audio_url": "audio", "audio_content": "audio", "video": "video", "input_video": "video",
    "video_url": "video", "file": "file", "input_file": "file", "document": "file", "document_url": "file",
    "container_upload": "file", "blob": "file", "uri": "file", "binary": "file", "file_data": "file",
    "media": "file", "buffer": "file",
}  # fmt: skip
# Where a medium, or what wraps it, keeps its address, the names of its file, and what it says.
ADDRESSES = (
    "url", "uri", "file_uri", "fileUri", "file_url", "image_url", "image", "source", "audio", "input_audio",
    "video_url", "file", "file_data",
)  # fmt: skip
FILE_IDS = ("file_id", "fileId")
FILE_NAMES = ("filename", "file_name", "fileName", "display_name", "displayName", "title", "name")
MIME_TYPES = ("mime_type", "mimeType", "media_type", "mediaType")
MAX_ADDRESS_CHARACTERS = 2048

# Shorter runs of base64's digits may be ids, hashes or keys.
RUN = 200
# A run covers at least one whole window between multiples of its size.
_WINDOW = RUN // 2
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_BREAKS = b"\r\n\\"  # between lines of wrapped base64, as they are or escaped
_IS_DIGIT = bytes(65 if byte in _DIGITS + _BREAKS else 32 for byte in range(256))
# What announces bytes, however few of them an SDK has left: a data URI, or the beginning of a format.
_ANNOUNCED = re.compile(
    r"data:(?P<data>[\w.+-]{1,60}/[\w.+-]{1,60})?(?:;[\w-]{1,40}=[\w.-]{1,60})*;base64,(?:\\?[rn]|[A-Za-z0-9+/=_-])*+"
    r"|(?<![\w+/=-])(?:iVBORw0KGgo|/9j/[24]|R0lGOD[dl]h|UklGR[\w+/]{2}|JVBERi0)[A-Za-z0-9+/_-]{20,}+=*+"
)
# Bytes as Python prints them, in a text or in a JSON text, whole or cut off; text with a few of them stays.
_LITERAL = re.compile(r"""(?<!\w)b(\\?['"])((?:(?!\1)(?:\\{1,2}.|[^\\]))*+)(?:\1|\\*\Z)""", re.DOTALL)
_ESCAPE = re.compile(r"\\{1,2}(?:x[0-9a-f]{2}|.)", re.DOTALL)
MIN_ESCAPES = 20
# Bytes as Node.js writes them into JSON
_BUFFER = re.compile(r"""\{\s*(\\*")type\1:\s*\1Buffer\1,\s*\1data\1:\s*\[([\d,\s]*+)\]?\s*\}?""")
# What base64 of each format begins with
_FORMATS = {
    "iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp",
    "JVBERi0": "application/pdf", "SUQz": "audio/mpeg", "T2dnUw": "audio/ogg",
}  # fmt: skip
# Lines of wrapped base64 are at least so long.
_LINE = 60
_LINE_BREAK = re.compile(r"\\r\\n|\\n|\r?\n")


def media_of(block: Mapping[str, Any], modality: str) -> dict[str, Any]:
    """A reference: what it is, its address or file, what was said in it. Data URIs and bytes are left where they are.

    Where known: "file_id", "name" of the file, "transcript" of speech, "text" of a document that is plain text.
    """
    part: dict[str, Any] = {"type": "media", "modality": modality, "mime_type": "", "uri": ""}
    inner: Any = block
    for _ in range(4):
        _add_facts(part, inner)
        address = next((inner[key] for key in ADDRESSES if inner.get(key)), None)
        if not isinstance(address, dict):
            break
        inner = address
    if isinstance(address, str):
        if address.startswith("data:"):
            part["mime_type"] = part["mime_type"] or address[5:105].split(",", 1)[0].split(";", 1)[0]
        elif len(address) <= MAX_ADDRESS_CHARACTERS and "://" in address:
            part["uri"] = address
        elif len(address) < RUN and "/" in address and not has_bytes(address):
            part.setdefault("file_id", address)  # Gemini's files/abc
    kind = part["mime_type"].split("/", 1)[0]
    if kind in ("image", "audio", "video"):
        part["modality"] = kind
    elif isinstance(named := block.get("modality"), str) and named:
        part["modality"] = named
    return part


def _add_facts(part: dict[str, Any], holder: Mapping[str, Any]) -> None:
    """What a block says of its medium, where no outer one has said it."""
    for name, keys in (("mime_type", MIME_TYPES), ("file_id", FILE_IDS), ("name", FILE_NAMES)):
        if not part.get(name):
            value = next((holder[key] for key in keys if isinstance(holder.get(key), str) and holder[key]), "")
            if value and len(value) < RUN * 2:
                part[name] = value
    if isinstance(said := holder.get("transcript"), str) and said:
        part.setdefault("transcript", said)
    if holder.get("type") == "text" and isinstance(text := holder.get("data"), str):
        part["text"] = text  # Anthropic's documents of plain text


def has_bytes(text: str, beginning: int | None = None) -> bool:
    """Whether base64 may stand in a text, or in so much of its beginning."""
    if beginning is not None and len(text) > beginning:
        text = text[:beginning]
    return (_has_long_word(text) and _window_of_digits(text, 0) >= 0) or _announces_bytes(text)


def _has_long_word(text: str) -> bool:
    """Whether RUN characters stand without a space between them: in prose one look a line's length apart says no."""
    last = len(text) - RUN
    start = 0
    rfind = text.rfind
    while start <= last:
        space = rfind(" ", start, start + RUN)
        if space < 0:
            return True
        start = space + 1
    return False


def _announces_bytes(text: str) -> bool:
    """Each mark after a character of it that prose seldom has, which is found twenty times as fast."""
    return (
        (";" in text and ";base64," in text)
        or ("0" in text and ("iVBORw0KGgo" in text or "R0lGOD" in text or "JVBERi0" in text))
        or ("9" in text and "/9j/" in text)
        or ("U" in text and "UklGR" in text)
        or ("\\" in text and "\\x" in text)
        or ("B" in text and "Buffer" in text)
    )


def _window_of_digits(text: str, start: int) -> int:
    """Where the first window from `start` on begins that holds nothing but digits, -1 where none does."""
    for begin in range(-(-start // _WINDOW) * _WINDOW, len(text) - _WINDOW + 1, _WINDOW):
        end = begin + _WINDOW
        if text.find(" ", begin, end) < 0 and b" " not in _digits(text[begin:end]):
            return begin
    return -1


def _digits(text: str) -> bytes:
    """A for each digit of base64, a space for any other character; as long as the text."""
    return text.encode("latin-1", "replace").translate(_IS_DIGIT)


def without_bytes_in_text(text: str) -> str:
    """A text with every run of base64 replaced by what it is: [image/png, 12 KB]. Data URIs of any length, others
    from 200 digits on, wrapped in lines or not, whole or cut off; and bytes as Python and Node.js print them.
    """
    if _announces_bytes(text):
        text = _ANNOUNCED.sub(lambda match: _label(match["data"] or "", match[0][match[0].find(",") + 1 :]), text)
    if "\\x" in text:
        text = _LITERAL.sub(_literal_label, text)
    if "Buffer" in text:
        text = _BUFFER.sub(_buffer_label, text)
    pieces: list[str] = []
    done = 0
    window = _window_of_digits(text, 0)
    while window >= 0:
        begin = max(done, window - _WINDOW)
        begin += _digits(text[begin:window]).rfind(b" ") + 1
        end = window + _WINDOW
        while (length := _digits(text[end : end + _WINDOW]).find(b" ")) < 0 and end < len(text):
            end += _WINDOW
        end = min(len(text), end + max(0, length))
        for start, stop in _base64_in(text, begin, end):
            stop += len(text[stop : stop + 2]) - len(text[stop : stop + 2].lstrip("="))
            pieces += [text[done:start], _label("", text[start:stop])]
            done = stop
        window = _window_of_digits(text, end)
    return "".join([*pieces, text[done:]]) if pieces else text


def _base64_in(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The base64 in a run of digits and line breaks: one long line, or lines of one length and a shorter last one."""
    groups: list[tuple[int, int]] = []
    width = before = 0
    for begin, stop in _lines(text, start, end):
        if before == width >= _LINE and stop - begin <= width:
            groups[-1] = (groups[-1][0], stop)
        else:
            groups.append((begin, stop))
            width = stop - begin
        before = stop - begin
    return [
        (begin, stop) for begin, stop in groups if stop - begin >= RUN and _looks_encoded(text[begin : begin + 512])
    ]


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    lines, begin = [], start
    for match in _LINE_BREAK.finditer(text, start, end):
        lines.append((begin, match.start()))
        begin = match.end()
    return [*lines, (begin, end)]


def _looks_encoded(digits: str) -> bool:
    """Words, numbers, paths and repetitions are no base64: it mixes capitals, small letters and figures."""
    return (
        any("A" <= digit <= "Z" for digit in digits)
        and any("a" <= digit <= "z" for digit in digits)
        and any("0" <= digit <= "9" for digit in digits)
        and len(set(digits)) > 16
        and sum(map(digits.count, "+/-_")) * 8 < len(digits)
    )


def _literal_label(match: re.Match[str]) -> str:
    """[603 bytes] of b'\\x89PNG…'."""
    if match[2].count("\\x") < MIN_ESCAPES:
        return match[0]
    return f"[{len(_ESCAPE.sub('.', match[2]))} bytes]"


def _buffer_label(match: re.Match[str]) -> str:
    """[4 bytes] of {"type": "Buffer", "data": [137, 80, 78, 71]}, quoted as its keys are."""
    numbers = match[2].strip()
    return f"{match[1]}[{numbers.count(',') + 1 if numbers else 0} bytes]{match[1]}"


def _label(mime_type: str, digits: str) -> str:
    mime_type = mime_type or next((name for start, name in _FORMATS.items() if digits.startswith(start)), "base64")
    size = len(digits) * 3 // 4
    return f"[{mime_type}, {size // 1000} KB]" if size >= 1000 else f"[{mime_type}, {size} bytes]"


def without_bytes(value: Any) -> Any:
    """A JSON value whose texts hold no base64; what has none stays the very object. Raises RecursionError."""
    if isinstance(value, str):
        return without_bytes_in_text(value) if has_bytes(value) else value
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(held := value.get("$bytes"), str):
            return f"[{len(held) * 3 // 4} bytes]"
        if value.keys() == {"type", "data"} and value["type"] == "Buffer" and isinstance(value["data"], list):
            return f"[{len(value['data'])} bytes]"
        cleaned = {key: without_bytes(item) for key, item in value.items()}
        return cleaned if any(cleaned[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        items = [without_bytes(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value

"""A span between the wire and the table: slotted records with hex ids and integer nanoseconds."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from spans.values import Attributes


@dataclass(slots=True)
class ResourceRecord:
    """The resource of a group of spans. `json` is its stored form, encoded once for all of them; `told` what the
    conventions read of it for them.
    """

    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    schema_url: str = ""
    entity_refs: list[dict[str, Any]] = field(default_factory=list)
    json: bytes = b"{}"
    service_name: str = ""
    cut: bool = False
    told: dict[str, Any] | None = None


@dataclass(slots=True)
class ScopeRecord:
    """The instrumentation scope of a group of spans. `json` is its stored form."""

    name: str = ""
    version: str = ""
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    schema_url: str = ""
    json: bytes = b"{}"
    cut: bool = False


@dataclass(slots=True)
class SpanRecord:
    """One span as received, then what `sanitize` and `normalize` add to it.

    Ids are lower-case hex of any length ("" where absent), times uint64 nanoseconds below 2**63, enums plain integers.
    Events are dicts of name, time_unix_nano, attributes, dropped_attributes_count; links of trace_id, span_id,
    trace_state, attributes, dropped_attributes_count, flags: the very shape that the JSON columns hold.
    """

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    name: str = ""
    kind: int = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    status_code: int = 0
    status_message: str = ""
    trace_state: str = ""
    flags: int = 0
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    dropped_events_count: int = 0
    links: list[dict[str, Any]] = field(default_factory=list)
    dropped_links_count: int = 0
    resource: ResourceRecord = field(default_factory=ResourceRecord)
    scope: ScopeRecord = field(default_factory=ScopeRecord)

    # Its GenAI events that came as log records, in the form of events; never stored with the span
    logs: Sequence[dict[str, Any]] = ()

    # Added by the platform; row keys as 32 hex digits
    warnings: list[str] = field(default_factory=list)
    cut: bool = False  # a limit took something from it; the warnings say what
    attributes_json: bytes = b"{}"
    events_json: bytes = b"[]"
    links_json: bytes = b"[]"
    warnings_json: bytes = b"[]"
    id: str = ""
    trace_row_id: str = ""
    project_id: int = 0
    day: datetime.date | None = None

    # Added by spans.semconv.normalize
    span_type: str = "UNKNOWN"
    operation_name: str = ""
    provider_name: str = ""
    request_model: str = ""
    response_model: str = ""
    tool_name: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation_1h_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    image_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_output_tokens: int | None = None
    cost_usd: Decimal | None = None
    unpriced_reason: str = ""
    session_id: str = ""
    user_id: str = ""
    input_preview: str = ""
    output_preview: str = ""
    is_error: bool = False
    error_type: str = ""
    framework_trace_id: str = ""
    labels: dict[str, str] | None = None

    # Added by the roll-up: whether this span's tokens and cost enter the trace's totals
    counted: bool = False

    @property
    def title(self) -> str:
        return (self.labels or {}).get("title") or self.name

    @property
    def scope_name(self) -> str:
        return self.scope.name

    @property
    def service_name(self) -> str:
        return self.resource.service_name

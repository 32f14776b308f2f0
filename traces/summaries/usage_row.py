"""What counting needs to know of a span, and the reasons why its usage counts or not."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


class UsageRow(Protocol):
    """What counting needs to know of a span."""

    @property
    def span_id(self) -> str: ...
    @property
    def parent_span_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def start_time_unix_nano(self) -> int: ...
    @property
    def end_time_unix_nano(self) -> int: ...
    @property
    def scope_name(self) -> str: ...
    @property
    def span_type(self) -> str: ...
    @property
    def request_model(self) -> str: ...
    @property
    def response_model(self) -> str: ...
    @property
    def input_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...
    @property
    def cached_input_tokens(self) -> int | None: ...
    @property
    def cache_creation_input_tokens(self) -> int | None: ...
    @property
    def cache_creation_1h_input_tokens(self) -> int | None: ...
    @property
    def audio_input_tokens(self) -> int | None: ...
    @property
    def image_input_tokens(self) -> int | None: ...
    @property
    def reasoning_tokens(self) -> int | None: ...
    @property
    def audio_output_tokens(self) -> int | None: ...
    @property
    def cost_usd(self) -> Decimal | None: ...


@dataclass(slots=True, kw_only=True)
class PartTotals:
    """The parts of a trace's tokens (`spans.columns.USAGE_PARTS`): None where no counted span reports
    such."""

    cached_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation_1h_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    image_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_output_tokens: int | None = None


# Template of the reason, class of the call, id of another span that the reason names
Decision = tuple[str, str, str]

# Calls of one class inside each other are the same call; a chat call and an embedding are not.
CALL_CLASS = {"LLM": "model call", "CHAT_MODEL": "model call", "EMBEDDING": "embedding", "RERANKER": "reranking"}
SUM = "sum"
IN_TOOL = "in a tool"

COUNTED_CALL = "counted: the innermost span of its {0} that reports usage"
COUNTED_SUM = "counted: no span below it reports usage"
WRAPPER = "not counted: span {1} inside it reports the usage of the same {0}"
SUM_OF_BELOW = "not counted: its sum is made of spans below it, such as {1}"
INSIDE_CALL = "not counted: span {1} around it is a counted call"
TWIN = "not counted: span {1} of another instrumentation reports the same {0}"
RECORD = "not counted: span {1} beside it is the call that it records"
SUM_BESIDE = "not counted: it has the sum of spans beside it, such as {1}"
NO_USAGE = "nothing to count: the span reports no usage"

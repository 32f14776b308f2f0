"""Scores that programs send over OTLP: the event `gen_ai.evaluation.result`, as span event or log record.

Source: https://github.com/open-telemetry/semantic-conventions/blob/v1.38.0/docs/gen-ai/gen-ai-events.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spans.values import NonFinite

EVALUATION_EVENT = "gen_ai.evaluation.result"
_PREFIX = "gen_ai.evaluation."
_ERROR = "error.type"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an event says: a value, a label or both, and why. `is_verdict`: the value was true or false."""

    name: str
    value: float | None
    is_verdict: bool
    label: str
    explanation: str
    response_id: str


def evaluation_of(attributes: Mapping[str, Any]) -> Evaluation | None:
    """The score in an event's attributes; None where it has no name or says nothing, and where evaluating failed."""
    name = _text(attributes.get(f"{_PREFIX}name"))
    value = attributes.get(f"{_PREFIX}score.value")
    found = Evaluation(
        name=name,
        value=_number(value),
        is_verdict=isinstance(value, bool),
        label=_text(attributes.get(f"{_PREFIX}score.label")),
        explanation=_text(attributes.get(f"{_PREFIX}explanation")),
        response_id=_text(attributes.get("gen_ai.response.id")),
    )
    says_something = found.value is not None or found.label or found.explanation
    return found if name and says_something and not attributes.get(_ERROR) else None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text.replace("\x00", "\ufffd")


def _number(value: Any) -> float | None:
    """A finite number, also as text."""
    if isinstance(value, NonFinite) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number - number == 0 else None

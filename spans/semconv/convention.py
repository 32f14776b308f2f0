"""A convention: a table of where one SDK or standard keeps each normalized field."""

from collections.abc import Mapping
from dataclasses import dataclass

from spans.semconv.sources import Attribute, Source


@dataclass(frozen=True, slots=True)
class Convention:
    """name: short, for explanations.  source: where it is specified, pinned.  about: what to know, and why it stands
    where it does.

    scopes: the beginnings of the instrumentation scopes it holds for; empty: any span. Tables with keys that other
    programs may use for other things ("target", "model") need it.
    fields: the sources of each field, best first; a text is the attribute of that key.
    label: what explanations call it; empty: its name and the field.
    """

    name: str
    title: str
    source: str
    about: str
    fields: Mapping[str, tuple[Source | str, ...]]
    scopes: tuple[str, ...] = ()
    label: str = ""

    def applies_to(self, scope_name: str) -> bool:
        return not self.scopes or scope_name.startswith(self.scopes)

    def sources(self, field: str) -> list[Source]:
        return [Attribute(item) if isinstance(item, str) else item for item in self.fields.get(field, ())]

import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Name

OPENLIT = Convention(
    name="openlit",
    title="OpenLIT",
    source="https://github.com/openlit/openlit/tree/py-1.45.0/sdk/python/src/openlit",
    about=(
        "After OpenTelemetry GenAI, which it follows. Failed calls of some clients have nothing but their name. "
        "A cost of 0 says that OpenLIT had no price: it fetches its list from the internet."
    ),
    scopes=("openlit.",),
    fields={
        "span_type": (
            Name(re.compile("^chat "), constant="CHAT_MODEL"),
            Name(re.compile("^embeddings "), constant="EMBEDDING"),
        ),
        "request_model": (Name(re.compile(r"^(?:chat|embeddings) (\S+)$")),),
        "cost_usd": (Attribute("gen_ai.usage.cost", transform=lambda cost: cost or None),),
    },
)

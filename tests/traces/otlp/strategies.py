"""Hypothesis strategies for OTLP requests: any value, type and id that the messages can hold."""

import math

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

# Text of any kind but NUL, which is replaced on purpose and has its own tests.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
keys = st.one_of(texts, st.sampled_from(["$bytes", "$double", "$map", "a.b", "service.name", "__proto__"]))
uint32 = st.integers(0, 2**32 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
times = st.integers(0, 2**63 - 1)

scalars = st.one_of(
    st.just(AnyValue()),
    texts.map(lambda value: AnyValue(string_value=value)),
    st.booleans().map(lambda value: AnyValue(bool_value=value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value)),
    st.floats().map(lambda value: AnyValue(double_value=value if value == value else math.nan)),
    st.binary(max_size=12).map(lambda value: AnyValue(bytes_value=value)),
)


def key_values(value_strategy: st.SearchStrategy[AnyValue], max_size: int = 4) -> st.SearchStrategy[list[KeyValue]]:
    return st.dictionaries(keys, value_strategy, max_size=max_size).map(
        lambda pairs: [KeyValue(key=key, value=value) for key, value in pairs.items()]
    )


def _containers(children: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    return st.one_of(
        st.lists(children, max_size=3).map(lambda items: AnyValue(array_value=ArrayValue(values=items))),
        key_values(children, 3).map(lambda pairs: AnyValue(kvlist_value=KeyValueList(values=pairs))),
    )


values = st.recursive(scalars, _containers, max_leaves=6)
attributes = key_values(values)

events = st.builds(
    Span.Event,
    name=texts,
    time_unix_nano=st.integers(0, 2**64 - 1),
    attributes=attributes,
    dropped_attributes_count=uint32,
)
links = st.builds(
    Span.Link,
    trace_id=st.binary(max_size=17),
    span_id=st.binary(max_size=9),
    trace_state=texts,
    attributes=attributes,
    dropped_attributes_count=uint32,
    flags=uint32,
)
spans = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16).filter(any),
    span_id=st.binary(min_size=8, max_size=8).filter(any),
    parent_span_id=st.one_of(st.just(b""), st.binary(max_size=9)),
    trace_state=texts,
    flags=uint32,
    name=texts,
    kind=int32,
    start_time_unix_nano=times,
    end_time_unix_nano=times,
    attributes=attributes,
    dropped_attributes_count=uint32,
    events=st.lists(events, max_size=3),
    dropped_events_count=uint32,
    links=st.lists(links, max_size=2),
    dropped_links_count=uint32,
    status=st.builds(Status, code=int32, message=texts),
)
scopes = st.builds(
    InstrumentationScope, name=texts, version=texts, attributes=attributes, dropped_attributes_count=uint32
)
entity_refs = st.builds(
    EntityRef,
    schema_url=texts,
    type=texts,
    id_keys=st.lists(texts, max_size=2),
    description_keys=st.lists(texts, max_size=2),
)
resources = st.builds(
    Resource, attributes=attributes, dropped_attributes_count=uint32, entity_refs=st.lists(entity_refs, max_size=2)
)
requests = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=resources,
            scope_spans=st.lists(
                st.builds(ScopeSpans, scope=scopes, spans=st.lists(spans, max_size=2), schema_url=texts), max_size=2
            ),
            schema_url=texts,
        ),
        max_size=2,
    ),
)

"""Everything that a web process needs. Those of one server are forked from a process that has imported this: so they
start at once, and share memory and what the processor keeps of it.
"""

import gc
import os
import signal

# A signal to the whole group is for the web processes, which drain; this one ends after them.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
gc.disable()  # what is loaded stays

import tracing_site.asgi  # noqa: F401, E402
from traces.otlp.samples import rehearse  # noqa: E402
from tracing_site.serving.http_server import spare_collector  # noqa: E402

rehearse()
spare_collector()
gc.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)  # which the web processes start with

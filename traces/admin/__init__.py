"""Where Django looks for the admin of this app: importing its modules registers them."""

from traces.admin import receipts as receipts
from traces.admin import retention as retention
from traces.admin import sessions as sessions
from traces.admin import spans as spans
from traces.admin import traces as traces

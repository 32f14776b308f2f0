"""Where Django looks for the admin of this app: importing its modules registers them."""

from traces import receipt_admin as receipt_admin
from traces import retention_admin as retention_admin
from traces import session_admin as session_admin
from traces import span_admin as span_admin
from traces import trace_admin as trace_admin

"""What every process of the platform is given before anything else is loaded. Imports nothing of Django."""

import os
import resource

# Files and folders are their owner's: prompts, password hashes, sessions and keys are in them.
OWNER_ONLY = 0o077
# Where the hard limit is endless. More would only make programs slow that look at every possible descriptor.
MANY_DESCRIPTORS = 65_536


def prepare_process(command: str = "") -> None:
    """New files are readable by their owner only, and as many descriptors may be open as the system lets.

    But those of `collectstatic` are for everybody, and for the account that the image runs as.
    """
    if command != "collectstatic":
        os.umask(os.umask(OWNER_ONLY) | OWNER_ONLY)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

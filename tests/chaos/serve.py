"""The real stack under its real supervisor, without the demo project: `python -m tests.chaos.serve`.

Everything is as in `./run up` but the first project: state under WHETSTONE_VAR, address by WHETSTONE_PORT.
"""

import sys

from webapp.embedded import checks, stack
from webapp.embedded.layout import Layout


def main() -> int:
    layout = Layout.here()
    layout.make()
    host, port = checks.address()

    def body(supervisor, services):
        stack._start(layout, supervisor, services, host, port, seed=False)
        supervisor.watch()
        return 0

    return stack._supervised(layout, body)


if __name__ == "__main__":
    sys.exit(main())

"""Set-up for all tests of this package.

pytest-asyncio asks for the current event loop before it makes its own; Python 3.11 then invents one that nobody closes,
which is a ResourceWarning and so an error here. Saying that there is none prevents it.
"""

import asyncio

asyncio.set_event_loop(None)

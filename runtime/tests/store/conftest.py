"""Set-up for the tests of this folder.

Python 3.11 invents an event loop that nobody closes when a plugin asks for the current one outside of a test; saying that
there is none prevents it.
"""

import asyncio

asyncio.set_event_loop(None)

"""An exec session of pipes without a process: what the test writes to `output` is what the client reads."""

import asyncio
import os


class FakeExecSession:
    """Implements driver.ExecSession."""

    def __init__(self, *, terminal: bool, stdin: bool) -> None:
        self.pid = 4242
        self.input, write_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        """Test's end: read here what the client sent."""
        self.stdout, self.output = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        err_read, self.errors = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.stdin: int | None = write_in if stdin or terminal else None
        self.stderr: int | None = None if terminal else err_read
        self._descriptors = {self.input, write_in, self.stdout, self.output, err_read, self.errors}
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.sizes: list[tuple[int, int]] = []
        """Every size that was set."""
        self.killed = False
        self.closed = False

    def exit(self, code: int) -> None:
        """End the process: its output ends, and wait answers."""
        self._close(self.output)
        self._close(self.errors)
        if not self._ended.done():
            self._ended.set_result(code)

    async def wait(self) -> int:
        """Wait for exit."""
        return await asyncio.shield(self._ended)

    def resize(self, width: int, height: int) -> None:
        """Note the size."""
        self.sizes.append((width, height))

    def close_stdin(self) -> None:
        """Give end of input."""
        if self.stdin is not None and self.stderr is not None:
            self._close(self.stdin)
            self.stdin = None

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.killed = True
        self.exit(137)

    def close(self) -> None:
        """Close all descriptors, the test's too."""
        self.closed = True
        for descriptor in tuple(self._descriptors):
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._descriptors:
            self._descriptors.remove(descriptor)
            os.close(descriptor)

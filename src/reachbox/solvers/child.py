"""A solver in a process of its own: it can be asked, and ended whatever it is doing."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from reachbox.errors import SolverError
from reachbox.solvers.problem import Ended

START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from reachbox.solvers.serve import serve; serve()"
STARTING_TIME = 60.0  # seconds that a solver may take to be loaded
GRACE = 0.5  # seconds in which a solver may notice its time limit by itself


class ChildEndedError(Exception):
    """The process is no more: its time had passed, or it fell over."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended)
        self.ended = ended


class Child:
    """Solves one problem after the other in a process that is started when it is first needed, and again if it ended.

    `engine` is `highs`, `gurobi` or `marabou`. Used as a context, the process ends with it. `end` may be called from
    another thread at any time. The process also ends when the one that started it is gone.
    """

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.problem: object = None
        self.is_loaded = False
        self.is_closed = False
        self.process: subprocess.Popen[bytes] | None = None
        self.answers: SimpleQueue[Any] = SimpleQueue()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, problem: object) -> None:
        """The problem that the next questions are about."""
        self.problem, self.is_loaded = problem, False

    def ask(self, question: str, *arguments: object, time_limit: float | None) -> Any:
        """The engine's answer to a question with these arguments and the time limit in seconds.

        Raises `ChildEndedError` where it had to be ended or fell over, `SolverError` where the solver refuses.
        """
        if self.is_closed:
            raise ChildEndedError(Ended.FAILED)
        self._start()
        limit = 1e9 if time_limit is None else time_limit
        self._send((None if self.is_loaded else self.problem, question, (*arguments, limit)))
        self.is_loaded = True
        found = self._receive(None if time_limit is None else time_limit + GRACE)
        if isinstance(found, Exception):
            raise SolverError(f"{self.engine}: {found}")
        return found

    def end(self) -> None:
        """Ends the process at once."""
        self.is_loaded = False
        if self.process is not None:
            process, self.process = self.process, None
            process.kill()
            process.wait()

    def close(self) -> None:
        """Ends the process for good."""
        self.is_closed = True
        self.end()

    def _start(self) -> None:
        if self.process is not None:
            return
        self.answers = SimpleQueue()
        command = [sys.executable, "-c", START, json.dumps(sys.path), self.engine]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        Thread(target=_listen, args=(self.process, self.answers), daemon=True).start()
        found = self._receive(STARTING_TIME)
        if isinstance(found, Exception):
            self.end()
            raise SolverError(f"{self.engine}: cannot be started: {found}")

    def _send(self, message: object) -> None:
        process = self.process
        if process is None or process.stdin is None:
            raise ChildEndedError(Ended.FAILED)
        try:
            pickle.dump(message, process.stdin)
            process.stdin.flush()
        except (OSError, ValueError):
            self.end()
            raise ChildEndedError(Ended.FAILED) from None

    def _receive(self, time_limit: float | None) -> Any:
        try:
            found = self.answers.get(timeout=time_limit)
        except Empty:
            self.end()
            raise ChildEndedError(Ended.TIMEOUT) from None
        if found is _NOTHING:
            self.end()
            raise ChildEndedError(Ended.FAILED)
        return found


_NOTHING = object()


def _listen(process: subprocess.Popen[bytes], answers: SimpleQueue[Any]) -> None:
    """Passes on what the process writes, until it ends."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError), process.stdin, process.stdout:  # what is left to write has no reader any more
        try:
            while True:
                answers.put(pickle.load(process.stdout))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            answers.put(_NOTHING)

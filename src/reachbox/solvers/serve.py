"""The other end of `child`: reads questions from standard input, answers them on standard output."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

ENGINES = {"highs": "highs.Highs", "gurobi": "gurobi.Gurobi", "marabou": "marabou.Marabou"}


def serve() -> None:
    """Answers questions until there are no more. What a solver prints goes nowhere; Ctrl-C is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    module, name = ENGINES[sys.argv[2]].split(".")
    try:
        engine_type = getattr(importlib.import_module(f"reachbox.solvers.{module}"), name)
    except Exception as error:
        _answer(answers, _plain(error))
        return
    _answer(answers, "ready")
    questions: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(questions,), daemon=True).start()
    engine: Any = None
    while True:
        problem, question, arguments = questions.get()
        try:
            engine = engine if problem is None else engine_type(problem)
            found = getattr(engine, question)(*arguments)
        except Exception as error:
            found = _plain(error)
        _answer(answers, found)


def _listen(questions: SimpleQueue[Any]) -> None:
    """Ends the process, whatever it is doing, when the parent is gone."""
    try:
        while True:
            questions.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        os._exit(0)


def _answer(answers: BinaryIO, found: object) -> None:
    pickle.dump(found, answers)
    answers.flush()


def _plain(error: Exception) -> RuntimeError:
    """The error without types that the parent may not know."""
    return RuntimeError(" ".join(f"{type(error).__name__}: {error}".split()))

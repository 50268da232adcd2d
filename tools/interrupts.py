"""Interrupts at random moments: is every update made whole or not at all, and does training go on as if nothing was?

`python -m tools.interrupts --count 500`. A program is a row of steps. It runs once undisturbed, and what it leaves is
noted after each step. Then it runs again and again from its beginning, and in each run one step is interrupted: by a
signal sent at a random instruction of Python's (also where it would not look for signals), or by a timer. After the
interrupt everything has to be as before that step or as after it, to the bit; the remaining steps have to lead where
the undisturbed ones have led.
"""

from __future__ import annotations

import argparse
import gc
import opcode
import random
import signal
import sys
import threading
import time
from collections import Counter
from typing import Any

import numpy as np

import autograd_core as ag
import nn

X = np.random.default_rng(0).normal(size=(4, 24, 6))
Y = np.random.default_rng(1).normal(size=(4, 24, 2))


# --- programs ---------------------------------------------------------------------------------------------------------


class Steps:
    """Training by hand, eager or compiled: `step(i)` is the i-th of `length`."""

    length = 4
    warm = 1  # steps before the one that is interrupted; a compiled one is recorded in the first

    def __init__(self, optimizer: Any, hidden: int, compiled: bool, dtypes: tuple[str, ...] = ("f8",)) -> None:
        parts: list[Any] = [nn.Linear(6, hidden, rng=0), nn.BatchNorm(hidden), np.tanh, nn.Linear(hidden, 2, rng=1)]
        self.model = nn.Sequential(*parts)
        self.extra = [ag.Tensor(np.ones(3, dtype)) for dtype in dtypes[1:]]
        groups = [{"params": list(self.model.parameters())}, *({"params": [p], "lr": 0.05} for p in self.extra)]
        self.optimizer = optimizer(groups)
        self.run = ag.compile(self.work) if compiled else self.work

    def work(self, x: Any, y: Any) -> Any:
        """Do one step of training."""
        self.optimizer.zero_grad()
        loss = nn.mse(self.model(x), y)
        for p in self.extra:
            loss = loss + np.sum(p * p)
        loss.backward()
        self.optimizer.step()
        return loss

    def step(self, i: int) -> None:
        """Do the i-th step."""
        self.run(X[i], Y[i])

    def state(self) -> dict[str, Any]:
        """Return everything that the steps to come depend on, flat; but running averages, which belong to the pass."""
        found = {f"model {k}": a for k, a in self.model.state_dict().items() if "running" not in k and "num" not in k}
        found |= {f"extra {i}": p.data.copy() for i, p in enumerate(self.extra)}
        state = self.optimizer.state_dict()["state"]
        return found | {f"state {i} {k}": np.asarray(a) for i, s in state.items() for k, a in s.items()}

    def save(self) -> list[Any]:
        """Return what can be loaded."""
        return [self.model.state_dict(), [p.data.copy() for p in self.extra], self.optimizer.state_dict()]

    def load(self, saved: list[Any]) -> None:
        """Go back to what was saved."""
        self.model.load_state_dict(saved[0])
        for p, values in zip(self.extra, saved[1], strict=True):
            p.assign(values)
        self.optimizer.load_state_dict(saved[2])


class Recording(Steps):
    """The same where the step that is interrupted is the one that is recorded."""

    warm = 0


class Scalars:
    """Descent on scalars in the style of micrograd, compiled: replayed as floats."""

    length, warm = 4, 1

    def __init__(self) -> None:
        self.weights = [ag.Tensor(0.1 * i) for i in range(12)]
        self.run = ag.compile(self.work)

    def work(self, x: Any) -> Any:
        """Do one step."""
        loss: Any = 0.0
        for i, w in enumerate(self.weights):
            w.grad = None
            loss = loss + (np.tanh(w * x[i % 6]) - 0.5) ** 2
        loss.backward()
        for w in self.weights:
            w.data -= 0.1 * w.grad
        return loss

    def step(self, i: int) -> None:
        """Do the i-th step."""
        self.run(X[i, 0])

    def state(self) -> dict[str, Any]:
        """Return the weights."""
        return {f"w{i}": w.data for i, w in enumerate(self.weights)}


class Fit:
    """`nn.fit` with running averages and dropout: a step is an epoch of updates, of which each may be the last."""

    length, warm = 3, 0

    def __init__(self, compiled: bool, optimizer: Any = None) -> None:
        parts: list[Any] = [nn.Linear(6, 8, rng=0), nn.BatchNorm(8), np.tanh, nn.Dropout(0.3, rng=3)]
        self.model = nn.Sequential(*parts, nn.Linear(8, 2, rng=1))
        self.optimizer = optimizer or nn.Adam(lr=0.01)
        self.compiled = compiled
        self.seen: list[Any] = []
        self.updates = 0

    def step(self, i: int) -> None:
        """Train for an epoch; see what there is before each update."""
        history = nn.fit(
            self.model, (X[i], Y[i]), loss=nn.mse, optimizer=self.optimizer, epochs=1, batch_size=8, rng=i,
            schedule=self.schedule, compile=self.compiled, progress=False,
        )  # fmt: skip
        if "interrupted" in history.stopped:
            raise KeyboardInterrupt

    def schedule(self, updates: int) -> float:
        """Note what there is; the rate stays."""
        self.seen.append(self.state())
        return 1.0 + 0.1 * updates

    def state(self) -> dict[str, Any]:
        """Return everything that the updates to come depend on."""
        found = {f"model {k}": a for k, a in self.model.state_dict().items()}
        found["dropout"] = np.array(str(self.model.layers[3].rng.bit_generator.state))
        state = self.optimizer.state_dict()["state"] if self.optimizer.groups else {}
        return found | {f"state {i} {k}": np.asarray(a) for i, s in state.items() for k, a in s.items()}


def adam(groups: Any) -> Any:
    """Return Adam."""
    return nn.Adam(groups, lr=0.01)


def momentum(groups: Any) -> Any:
    """Return SGD with momentum."""
    return nn.SGD(groups, lr=0.01, momentum=0.9)


PROGRAMS: dict[str, Any] = {
    "eager, Adam, small": lambda: Steps(adam, 8, False),
    "eager, Adam, large": lambda: Steps(adam, 700, False),
    "eager, momentum, two groups": lambda: Steps(momentum, 8, False, ("f8", "f4")),
    "replay, Adam, small": lambda: Steps(adam, 8, True),
    "replay, Adam, large": lambda: Steps(adam, 700, True),
    "replay, momentum, two groups": lambda: Steps(momentum, 8, True, ("f8", "f4")),
    "recording, Adam": lambda: Recording(adam, 8, True),
    "recording, momentum, large": lambda: Recording(momentum, 700, True),
    "scalars": Scalars,
    "fit": lambda: Fit(False),
    "fit, compiled": lambda: Fit(True),
}


# --- interrupts -------------------------------------------------------------------------------------------------------


MONITORING: Any = getattr(sys, "monitoring", None)  # since Python 3.12, where opcodes of a traced frame go unheard
BEFORE_WITH = opcode.opmap.get("BEFORE_WITH")
TOOL = 3  # an identifier that no debugger, profiler or coverage takes


class Counting:
    """Count the instructions that Python executes in a block, in this thread; send the signal, or raise, at one."""

    def __init__(self, at: int = -1, error: Any = None) -> None:
        self.at, self.error, self.count, self.where = at, error, 0, ""
        self.thread = threading.get_ident()

    def executed(self, code: Any, line: int, at: int) -> None:
        """Count an instruction; a lock that was taken by `with` is not lost, since Python does not look there."""
        self.count += 1
        if self.count < self.at or self.at < 0 or self.where or code.co_code[max(at - 2, 0)] == BEFORE_WITH:
            return
        self.where = f"{code.co_filename.rpartition('/')[2]}:{line} {code.co_name}"
        if self.error is not None:
            raise self.error
        signal.raise_signal(signal.SIGINT)

    def trace(self, frame: Any, event: str, _: Any) -> Any:
        """Look at an event of the interpreter: before Python 3.12."""
        if event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            self.executed(frame.f_code, frame.f_lineno, frame.f_lasti)
        return self.trace

    def monitor(self, code: Any, at: int) -> None:
        """Look at an instruction: since Python 3.12, where those of all threads are told."""
        if threading.get_ident() == self.thread:
            self.executed(code, sys._getframe(1).f_lineno, at)

    def __enter__(self) -> Counting:
        if MONITORING is None:
            sys.settrace(self.trace)
            return self
        MONITORING.use_tool_id(TOOL, "interrupts")
        MONITORING.register_callback(TOOL, MONITORING.events.INSTRUCTION, self.monitor)
        MONITORING.set_events(TOOL, MONITORING.events.INSTRUCTION)
        return self

    def __exit__(self, *exc: object) -> None:
        if MONITORING is None:
            sys.settrace(None)
            return
        MONITORING.set_events(TOOL, 0)
        MONITORING.register_callback(TOOL, MONITORING.events.INSTRUCTION, None)
        MONITORING.free_tool_id(TOOL)


class Timer:
    """Send the signal after a while, as somebody at the keyboard does."""

    where, error = "by a timer", None

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> Timer:
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Abort(Exception):
    """What another thread, or a handler of another signal, may raise at any moment."""


def interrupted(program: Any, i: int, interrupt: Any) -> BaseException | None:
    """Do a step that is interrupted; return what has arrived.

    Without the garbage collector: Python swallows what arrives in somebody's callback of its (Hypothesis has one). And
    NumPy's settings are put back: what arrives inside of `np.errstate.__enter__` leaves them, ours or not.
    """
    errors = np.geterr()
    gc.disable()
    try:
        with interrupt:
            program.step(i)
    except (KeyboardInterrupt, MemoryError, Abort) as error:
        return error
    finally:
        gc.enable()
        np.seterr(**errors)
    return None


# --- the verdict ------------------------------------------------------------------------------------------------------


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Say whether two states are the same to the bit; a state before the first step may lack what is zero then."""
    pairs = (
        (a[k] if k in a else np.zeros_like(b[k]), b[k] if k in b else np.zeros_like(a[k])) for k in a.keys() | b.keys()
    )
    return all(np.array_equal(x, y) for x, y in pairs)


def measured(make: Any) -> tuple[list[Any], int, float]:
    """Return the states of an undisturbed run, and the instructions and seconds of the step to interrupt."""
    program = make()
    states = [program.state()]
    for i in range(program.length):
        program.step(i)
        states.append(program.state())
    program = make()
    for i in range(program.warm):
        program.step(i)
    with Counting() as counted:
        program.step(program.warm)
    program = make()
    for i in range(program.warm):
        program.step(i)
    start = time.perf_counter()
    program.step(program.warm)
    return states, counted.count, time.perf_counter() - start


def trial(make: Any, states: list[Any], interrupt: Any) -> str:
    """Interrupt one step; say what came of it."""
    program = make()
    k = program.warm
    for i in range(k):
        program.step(i)
    saved = program.save() if isinstance(program, Steps) else None
    came = interrupted(program, k, interrupt)
    if isinstance(program, Fit):
        return trial_of_fit(program, states, k, came is not None, interrupt)
    told = any("broken off an update" in note for note in getattr(came, "__notes__", ()))
    if told:
        if not (isinstance(came, interrupt.error or ()) and refuses(program, k)):
            return f"broken off, and not refused, at {interrupt.where}"
        program.load(saved)
    found = program.state()
    if came is None or same(found, states[k + 1]):
        verdict, k = ("after" if came else "not reached"), k + 1
    elif same(found, states[k]):
        verdict = "refused" if told else "before"
    else:
        return f"torn at {interrupt.where}"
    for i in range(k, program.length):
        program.step(i)
        if not same(program.state(), states[i + 1]):
            return f"goes on otherwise after {interrupt.where}"
    return verdict


def refuses(program: Any, k: int) -> bool:
    """Say whether a program refuses to go on, and to give its state away."""
    refused = 0
    for work in (lambda: program.step(k), program.state, lambda: program.step(k)):
        try:
            work()
        except RuntimeError as error:
            refused += "broken off in the middle" in str(error)
    return refused == 3


def trial_of_fit(program: Fit, states: list[Any], k: int, came: bool, interrupt: Any) -> str:
    """Say what came of an interrupt of `fit`, which may stop after any of its updates."""
    if not came:
        return "not reached" if same(program.state(), states[k + 1]) else "torn, unnoticed"
    found, twin = program.state(), Fit(program.compiled)
    twin.step(k)
    at = next((j for j, s in enumerate([*twin.seen, states[k + 1]]) if same(found, s)), None)
    if at is None:
        return f"torn at {interrupt.where}"
    program.step(k)
    third = Fit(program.compiled)
    if at:  # the same from a copy of what was left
        third.optimizer.attach(third.model.parameters())
    third.model.load_state_dict({n.removeprefix("model "): a for n, a in found.items() if n.startswith("model ")})
    third.model.layers[3].rng.bit_generator.state = eval(str(found["dropout"]))
    if at:
        third.optimizer.load_state_dict(_optimizer_state(third, found))
    third.step(k)
    return (
        ("before" if at == 0 else "after")
        if same(third.state(), program.state())
        else f"goes on otherwise after {interrupt.where}"
    )


def _optimizer_state(program: Fit, found: dict[str, Any]) -> dict[str, Any]:
    state = program.optimizer.state_dict()
    for i, own in state["state"].items():
        own.update({name: found[f"state {i} {name}"] for name in own})
    return state


def judge(make: Any, count: int, seed: int, errors: bool = False) -> Counter[str]:
    """Interrupt a program so many times; by errors, as exhausted memory and other threads bring them, if asked to."""
    rng = random.Random(seed)
    states, instructions, seconds = measured(make)
    found: Counter[str] = Counter()
    for n in range(count):
        timed = n % 3 == 2 and hasattr(signal, "setitimer") and not errors
        error = (MemoryError, Abort)[n // 2 % 2] if errors else None
        first = 1 if n % 2 else instructions * 4 // 5  # half of them near the end, where updates are made
        interrupt = Timer(rng.uniform(1e-6, seconds)) if timed else Counting(rng.randint(first, instructions), error)
        found[trial(make, states, interrupt)] += 1
    return found


def wrong(found: Counter[str]) -> list[str]:
    """Return the verdicts that are not good ones."""
    return [verdict for verdict in found if verdict not in ("before", "after", "refused", "not reached")]


def main() -> int:
    """Judge all programs; return how many were found wanting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="interrupts in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--errors", action="store_true", help="raise errors in place of Ctrl-C; large updates refuse")
    parser.add_argument("--only", default="", help="programs with this in their name")
    args = parser.parse_args()
    chosen = {name: make for name, make in PROGRAMS.items() if args.only in name}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    bad = 0
    for name, make in chosen.items():
        found = judge(make, -(-args.count // len(chosen)), args.seed, args.errors)
        bad += bool(wrong(found)) or set(found) == {"not reached"}
        print(f"{name:30}", ", ".join(f"{n} {verdict}" for verdict, n in found.most_common()), flush=True)
    print(
        "some updates were torn, or none was interrupted"
        if bad
        else "every update was made whole or not at all, or said that it was broken off"
    )
    return bad


if __name__ == "__main__":
    sys.exit(main())

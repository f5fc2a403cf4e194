"""The one way that everything here is timed: in turns, and the fastest turn counts."""

import time

TURNS = 7
BUDGET = 0.4  # seconds after which a work gets no further turn; it has at least one


def best_times(works, turns=TURNS, budget=BUDGET):
    """Seconds of the fastest call of each of `works`, callables by name.

    They take turns, so that all of them meet the same machine. The first call of each is not counted: it compiles, and
    touches the memory.
    """
    best, spent = dict.fromkeys(works, float("inf")), dict.fromkeys(works, 0.0)
    for work in works.values():
        work()
    for _ in range(turns):
        for name, work in works.items():
            if spent[name] < budget:
                start = time.perf_counter()
                work()
                seconds = time.perf_counter() - start
                best[name], spent[name] = min(best[name], seconds), spent[name] + seconds
    return best


def best_calls(works, calls=20, turns=3000, budget=BUDGET):
    """Seconds of one call of each of `works`, which take microseconds.

    A turn is a few calls in a row: long enough for the clock, short enough to fit between two interruptions.
    """

    def many(work):
        def run():
            for _ in range(calls):
                work()

        return run

    best = best_times({name: many(work) for name, work in works.items()}, turns, budget)
    return {name: seconds / calls for name, seconds in best.items()}

"""Work done ahead of its use: a function mapped over items in threads, in order, with a bounded number in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], n_threads: int, n_ahead: int
) -> Iterator[Result]:
    """Yield function(item) for each item, in order, while at most n_ahead results wait; the first error is raised."""
    pool = ThreadPoolExecutor(n_threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

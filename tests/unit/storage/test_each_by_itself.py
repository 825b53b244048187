"""Work that is done for one after the other."""

from __future__ import annotations

import pytest

from candela_server.storage.each_by_itself import each_by_itself


class _Work:
    """Counts one for each, and fails for one of them."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    async def do(self, one: str) -> int:
        self.tried.append(one)
        if one == "b":
            raise LookupError(one)
        return 1


@pytest.mark.spec("INV-1")
async def test_one_that_fails__is_passed_by() -> None:
    work = _Work()

    got = await each_by_itself("abc", work.do, failure="work_not_done")

    assert (got, work.tried) == (2, ["a", "b", "c"])


@pytest.mark.spec("OPS-2")
async def test_one_that_fails_where_nothing_is_passed_by__is_raised() -> None:
    work = _Work()

    with pytest.raises(LookupError):
        await each_by_itself("abc", work.do, failure="work_not_done", passes_by=False)

    assert work.tried == ["a", "b"]

"""Ids are unique, sort as they were made, and tell their kind."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from candela_server.kernel.ids import new_id, parse_id

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def uuid_of(text: str) -> uuid.UUID:
    number = 0
    for character in text.rpartition("_")[2]:
        number = number * 32 + ALPHABET.index(character)
    return uuid.UUID(int=number)


@pytest.mark.spec("CAT-2")
def test_new_id__is_a_version_7_uuid_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    got = new_id("cus")
    after = time.time_ns() // 1_000_000

    made = uuid_of(got)
    assert got.startswith("cus_")
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after + 1  # a full millisecond counts on into the next


@pytest.mark.spec("CAT-2")
def test_ids_of_one_thread__sort_as_they_were_made() -> None:
    made = [new_id("line") for _ in range(20_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


@pytest.mark.spec("CAT-2")
def test_ids_of_many_threads__are_all_different() -> None:
    with ThreadPoolExecutor(8) as threads:
        batches = threads.map(lambda _: [new_id("inv") for _ in range(2_000)], range(8))
        made = [one for batch in batches for one in batch]

    assert len(set(made)) == 16_000


@pytest.mark.spec("CAT-2")
def test_forked_process__does_not_continue_its_parents_ids() -> None:
    reading, writing = os.pipe()
    new_id("cus")
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the other process
        os.write(writing, new_id("cus").encode())
        os._exit(0)
    mine = new_id("cus")
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)

    # The random parts are unrelated: a continued sequence would differ by less than 2^32 + 1.
    assert (
        abs((uuid_of(mine).int & (1 << 62) - 1) - (uuid_of(theirs).int & (1 << 62) - 1)) > 1 << 33
    )


@pytest.mark.spec("CAT-2")
def test_own_id__parses_to_itself() -> None:
    made = new_id("price")

    assert parse_id("price", made) == made


@pytest.mark.spec("CAT-2")
def test_id_of_another_kind__is_refused_naming_the_expected_prefix() -> None:
    with pytest.raises(ValueError, match=r'begins with "cus_"'):
        parse_id("cus", new_id("sub"))


@pytest.mark.spec("CAT-2")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "cus",
        "cus_",
        "cus_1",
        "cus_01k9x3zzzzzzzzzzzzzzzzzzz",  # 25 characters
        "cus_81k9x3zzzzzzzzzzzzzzzzzzzz",  # more than 128 bits
        "cus_01K9X3ZZZZZZZZZZZZZZZZZZZZ",
        "cus_01k9x3zzzzzzzzzzzzzzzzzzzu",  # no u in this alphabet
        "cus_01k9x3zzzzzzzzzzzzzzzzzzzz\n",
        "01k9x3zzzzzzzzzzzzzzzzzzzz",
    ],
)
def test_text_that_is_no_id__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        parse_id("cus", text)

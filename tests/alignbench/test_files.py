"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from alignbench import InputError
from alignbench.io.files import WriteError, lock_folder, reading, write_atomic


def drafts(folder):
    return sorted(folder.glob(".*.draft"))


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "table.md"

    def write_slowly(stream):
        stream.write(b"first, ")
        write_atomic(path, b"second")
        assert path.read_bytes() == b"second"
        stream.write(b"to its end")

    write_atomic(path, write_slowly)
    assert path.read_bytes() == b"first, to its end"
    assert drafts(tmp_path) == []


def test_a_writer_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "table.md"
    write_atomic(path, b"whole")

    def fail(stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match=r"table.md: cannot be written \(No space left on device"):
        write_atomic(path, fail)
    assert path.read_bytes() == b"whole"
    assert drafts(tmp_path) == []


def test_what_a_killed_writer_left_is_removed_but_not_what_a_live_one_writes(tmp_path):
    names = (
        ".a[1].md.01234567.draft",
        ".a[1].md.89abcdef.draft",
        ".b.md.01234567.draft",
        ".c.draft",
    )
    old, new, other, users = (tmp_path / name for name in names)
    for draft in (old, new, other, users):
        draft.write_bytes(b"half")
        os.utime(draft, (0, 0) if draft != new else None)
    write_atomic(tmp_path / "a[1].md", b"whole")
    assert drafts(tmp_path) == [new, other, users]
    with lock_folder(tmp_path, "run"):  # nobody else writes here
        assert drafts(tmp_path) == [users]


def test_whatever_makes_a_file_unreadable_is_one_message(tmp_path):
    for name in ("nowhere.txt", "a" * 300):
        path = tmp_path / name
        message = f"{name}: table cannot be read .*Put the file there"
        with pytest.raises(InputError, match=message), reading(path, "table "):
            path.read_bytes()

"""Arrays larger than memory: the same numbers, in files and by blocks."""

from __future__ import annotations

import numpy as np
import pytest
from doubles import QUICK, Killed, Shifted, contents, make_dataset
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_wflw

from alignbench import InputError, arrays, evaluate, load_dataset, load_predictor
from alignbench.stats import bootstrap

BYTES_A_FACE = 98 * 2 * 8


def shrink_memory(monkeypatch):
    """Blocks of 7 faces, and no array of more than 10 faces in memory."""
    monkeypatch.setattr(arrays.blocks, "__defaults__", (7,))
    # The bootstrap draws its samples block by block: other blocks are other samples.
    monkeypatch.setattr(bootstrap, "blocks", lambda images: arrays.blocks(images, arrays.BLOCK))
    monkeypatch.setattr(arrays, "_IN_MEMORY", 10 * BYTES_A_FACE)


small_memory = pytest.fixture(shrink_memory)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 2000))
def test_joined_parts_are_one_array_in_memory_or_not(sizes, limit):
    parts = [np.random.default_rng(k).random((size, 3, 2)) for k, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_IN_MEMORY", limit)
        column = arrays.join(parts)
    np.testing.assert_array_equal(column, np.concatenate(parts))
    assert isinstance(column, np.memmap) == (column.nbytes > limit)


def test_arrays_are_made_taken_and_mapped_by_blocks(small_memory):
    column = arrays.full((40, 98, 2), np.nan)
    assert isinstance(column, np.memmap)
    assert np.isnan(column).all()
    column[:] = np.arange(column.size).reshape(column.shape)
    seen = []
    doubled = arrays.map_blocks(lambda part: seen.append(len(part)) or 2 * part, column)
    assert seen == [7, 7, 7, 7, 7, 5]
    np.testing.assert_array_equal(doubled, 2 * np.asarray(column))
    odd = np.arange(40) % 2 == 1
    np.testing.assert_array_equal(arrays.take(column, odd), np.asarray(column)[odd])
    np.testing.assert_array_equal(arrays.take(column, [3, 0, 3]), np.asarray(column)[[3, 0, 3]])
    assert not isinstance(arrays.take(column, [3, 0, 3]), np.memmap)
    assert arrays.full((2, 98, 2), 1.0).tolist() == np.ones((2, 98, 2)).tolist()


def test_no_room_is_one_message(small_memory, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays.tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match=r"no room for .* set TMPDIR"):
        arrays.full((40, 98, 2), 0.0)


@pytest.mark.parametrize("form", ["npz", "csv", "txt"])
def test_a_run_larger_than_memory_is_the_run(tmp_path, monkeypatch, form):
    """List, predictions, landmarks and results in files: the same bytes as in memory."""
    faces = 40
    write_wflw(tmp_path / "wflw", faces)
    dataset = load_dataset("wflw", tmp_path)
    points = dataset.points + 3.25
    path = tmp_path / f"p.{form}"
    if form == "npz":
        np.savez(path, ids=np.array(dataset.ids)[::-1], points=points[::-1])
    elif form == "csv":
        lines = [",".join(["id", *(f"{axis}{k}" for k in range(98) for axis in "xy")])]
        for name, face in zip(dataset.ids, points, strict=True):
            lines.append(",".join([name, *map(repr, face.ravel().tolist())]))
        path.write_text("\n".join(lines) + "\n")
    else:
        lines = []
        for name, face in zip(dataset.ids, points + 1, strict=True):
            lines += [name, *(" ".join(map(repr, axis.tolist())) for axis in face.T), "0 " * 98]
        path.write_text("\n".join(lines) + "\n")

    def run(folder):
        evaluate(
            load_predictor(f"saved:{path}"), load_dataset("wflw", tmp_path),
            bootstrap=QUICK, out=tmp_path / folder, batch_size=9,
        )  # fmt: skip
        return contents(tmp_path / folder)

    whole = run("whole")
    shrink_memory(monkeypatch)
    monkeypatch.setattr("alignbench.io.text.in_blocks.__defaults__", (8,))
    assert isinstance(load_dataset("wflw", tmp_path).points, np.memmap)
    streamed = run("streamed")
    # A landmark's mean over all faces is added up in another order.
    one, other = (files.pop("breakdown.csv").decode().split() for files in (whole, streamed))
    assert streamed == whole
    for line, again in zip(one, other, strict=True):
        if line.startswith("landmark"):
            assert float(line.split(",")[4]) == pytest.approx(float(again.split(",")[4]), rel=1e-14)
        else:
            assert line == again


def test_missed_faces_and_a_resumed_run_go_by_blocks_too(small_memory, tmp_path, monkeypatch):
    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    dataset = make_dataset(40)

    class Missing(Shifted):
        def predict(self, batch):
            points = super().predict(batch)
            points[::3] = np.nan
            return points

    options = {"batch_size": 4, "bootstrap": QUICK}
    whole = evaluate(Missing(dataset), dataset, **options, out=tmp_path / "whole")
    with pytest.raises(Killed):
        evaluate(Missing(dataset, breaks_after=6), dataset, **options, out=tmp_path / "cut")
    again = Missing(dataset)
    evaluate(again, dataset, **options, out=tmp_path / "cut")
    assert sum(again.batches) < 40
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert whole.record.missed == 20
    assert np.isfinite(whole.points).all()


def test_temporary_files_are_gone_with_their_arrays(small_memory, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays.tempfile, "tempdir", str(tmp_path))
    column = arrays.full((40, 98, 2), 1.0)
    assert isinstance(column, np.memmap)
    assert not list(tmp_path.iterdir())


def test_parts_are_of_one_shape_and_become_doubles(small_memory):
    with pytest.raises(ValueError, match=r"shape \(40, 97, 2\)"):
        arrays.join([np.zeros((40, 98, 2)), np.zeros((40, 97, 2))])
    column = arrays.join([np.ones((40, 98, 2), np.float32)])
    assert isinstance(column, np.memmap)
    assert (column == 1).all()


def test_a_run_that_is_there_needs_no_room(small_memory, tmp_path, monkeypatch):
    dataset = make_dataset(40)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)

    def no_room(*_):
        raise AssertionError("a column was made")

    monkeypatch.setattr(arrays, "full", no_room)
    assert evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path).read_back

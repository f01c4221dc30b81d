"""Where documents come from: every kind of file, in an order that stays, and an error that names the place for what cannot be read."""

import gzip
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import models.sources as sources_module
from models.errors import UserError
from models.sources import open_sources


@pytest.fixture
def write(tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return file


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def read(*paths):
    """Ids and texts of documents, and the messages of those that are none."""
    found, errors = [], []
    for record in open_sources([], paths).records():
        try:
            article = record.article()
        except UserError as error:
            errors.append(str(error))
        else:
            found.append((article.id, article.text))
    return found, errors


def test_a_folder_is_read_by_name_its_own_files_first(write, tmp_path):
    for name in ("b/2.txt", "b/1.txt", "c.txt", "a.jsonl", "b/.x.txt", ".git/y.txt", "read.me"):
        write(f"in/{name}", '{"text": "x"}' if name.endswith("jsonl") else name)
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    found, errors = read(tmp_path / "in")
    assert [id for id, _ in found] == ["a-1", "c", "b/1", "b/2"]
    assert errors == []


def test_files_of_one_name_have_ids_that_tell_them_apart(write, tmp_path, monkeypatch):
    for name in ("aa/1.txt", "bb/c/1.txt", "bb/2.txt", "aa/n.jsonl"):
        write(name, '{"text": "x"}')
    monkeypatch.chdir(tmp_path / "aa")
    alike = [Path("1.txt"), tmp_path / "bb/c/1.txt", Path("../bb/2.txt"), Path("n.jsonl")]
    assert [id for id, _ in read(*alike)[0]] == ["aa/1", "bb/c/1", "2", "n-1"]
    assert [id for id, _ in read(alike[0], alike[0], tmp_path / "bb")[0]] == ["1", "1", "2", "c/1"]


def test_packed_lines_are_as_plain_ones(write):
    lines = '\ufeff{"text": "بله."}\r\n\n{"text": "نه.", "id": 3}'
    plain, packed = write("n.jsonl", lines), write("p/n.jsonl.gz", gzip.compress(lines[:20].encode()) + gzip.compress(lines[20:].encode()))
    assert read(plain) == read(packed) == ([("n-1", "بله."), ("3", "نه.")], [])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_parquet_file_is_a_document_a_row(tmp_path, kind):
    texts = pa.array(["یک", "", None, "چهار"], pa.string()).cast(kind)
    path = parquet(tmp_path / "n.parquet", text=texts, id=pa.array([7, None, 9, 10]), other=[0, 0, 0, 0])
    assert read(path) == (
        [("7", "یک"), ("n-2", ""), ("10", "چهار")],
        [f"{path}, row 3, field 'text': null in place of a string; fill it or leave the row out"],
    )


def test_text_of_a_parquet_file_that_is_not_utf8(tmp_path):
    path = parquet(tmp_path / "n.parquet", text=pa.array([b"a", b"\xff"]).view(pa.string()))
    assert read(path) == ([("n-1", "a")], [f"{path}, row 2, line 1: not valid UTF-8 (byte 0xff); save the file as UTF-8"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"body": ["a"], "n": [1]}, ": no column 'text'; it has body, n: name the texts' column so"),
        ({"text": [1]}, ", column 'text': int64 in place of string; mend the column"),
        ({"text": ["a"], "id": [0.5]}, ", column 'id': double in place of string; mend the column"),
        ({"text": pa.array([], pa.string())}, ": holds no text; check the file"),
    ],
)
def test_parquet_files_of_another_shape(tmp_path, columns, message):
    path = parquet(tmp_path / "n.parquet", **columns)
    assert read(path) == ([], [f"{path}{message}"])


@pytest.mark.parametrize("name", ["text", "id"])
def test_a_parquet_file_with_a_column_twice(tmp_path, name):
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table([["a"], ["b"], ["c"]], names=["text", "id", name]), path)
    assert read(path) == ([], [f"{path}: two columns '{name}'; keep one"])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 but no more", b"\0" * 100])
def test_a_parquet_file_that_is_none(write, content):
    path = write("n.parquet", content)
    _, (error,) = read(path)
    assert error.startswith(f"{path}: not a Parquet file that can be read (")
    assert "\n" not in error


def test_a_packed_file_that_was_cut_gives_what_is_whole(write):
    data = gzip.compress("".join(f'{{"text": "خبر {i} {os.urandom(20).hex()}"}}\n' for i in range(1000)).encode())
    path = write("n.jsonl.gz", data[: len(data) // 2])
    found, errors = read(path)
    assert 100 < len(found) < 900
    assert errors[-1].startswith(f"{path}, after line {len(found)}: damaged or cut short (")
    assert len(errors) == 1


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b'{"text": "a"}\n')[:-8] + b"\0" * 8])
def test_a_packed_file_that_is_damaged(write, data):
    path = write("n.jsonl.gz", data)
    assert read(path)[1][0].startswith(f"{path}, after line ")


def test_a_line_that_is_too_long_is_not_kept(write, monkeypatch):
    monkeypatch.setattr(sources_module, "LARGEST", 1 << 20)
    path = write("n.jsonl", b'{"text": "a"}\n' + b"x" * (3 << 20) + b'\n{"text": "b"}\n')
    assert read(path) == ([("n-1", "a"), ("n-3", "b")], [f"{path}, line 2: over 1 MB; give .jsonl with a document a line"])
    document = write("n.txt", b"x" * ((1 << 20) + 1))
    assert read(document)[1] == [f"{document}: a document of over 1 MB; split it, or give .jsonl with a document a line"]


def test_a_row_that_is_too_long_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sources_module, "LARGEST", 1 << 20)
    path = parquet(tmp_path / "n.parquet", text=["a", "ب" * ((1 << 19) + 1), "b"])
    assert read(path) == ([("n-1", "a"), ("n-3", "b")], [f"{path}, row 2, field 'text': over 1 MB; cut it into several rows"])


def test_every_bad_line_is_named_and_the_rest_is_read(write):
    path = write("n.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n[]\n{"text": "b"}')
    found, errors = read(path)
    assert [text for _, text in found] == ["a", "b"]
    assert [error.split(": ")[0] for error in errors] == [f"{path}, line 2", f"{path}, line 3"]


def test_a_name_that_is_not_utf8_gives_an_id_that_is(tmp_path):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/\xff.txt", "wb") as file:
        file.write(b"a")
    ((id, _),), _ = read(tmp_path / "in")
    assert id == "\ufffd"


def test_sources_can_be_sent_to_another_process(write):
    sources = open_sources(["a"], [write("b.txt", "b")])
    again = pickle.loads(pickle.dumps(sources))
    assert [a.text for a in again.articles()] == [a.text for a in sources.articles()] == ["a", "b"]
    assert sources.size() == 2


def test_a_kind_that_is_not_read_is_told_before_anything_is(write):
    with pytest.raises(UserError, match=r"n\.pdf: files with the suffix '\.pdf' are not read; give \.txt"):
        open_sources([], [write("n.txt", "a"), write("n.pdf", "a")])


def test_a_file_that_may_not_be_looked_at_is_no_part_of_the_size(write, tmp_path, monkeypatch):
    write("in/a.txt", "abc"), write("in/more/b.txt", "b")
    sources = open_sources([], [tmp_path / "in"])
    true = Path.stat

    def forbidden(path, **options):
        if path.name == "b.txt":
            raise PermissionError(13, "Permission denied")
        return true(path, **options)

    monkeypatch.setattr(Path, "stat", forbidden)
    assert sources.size() == 3


@pytest.mark.parametrize("name", ["x.txt", "x.jsonl", "x"])
def test_a_pipe_is_refused_before_it_is_waited_for(tmp_path, name):
    os.mkfifo(path := tmp_path / name)
    with pytest.raises(UserError, match=f"^{path}: a pipe or a device, and documents are read from files; write it into one$"):
        open_sources([], [path])


def test_a_pipe_in_a_folder_is_passed_over(write, tmp_path):
    write("in/a.txt", "a")
    os.mkfifo(path := tmp_path / "in/b.txt")
    assert read(tmp_path / "in") == ([("a", "a")], [f"{path}: a pipe or a device, and documents are read from files; write it into one"])


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff"])
def test_a_line_break_in_a_name_makes_no_second_line(write, tmp_path, content):
    path = tmp_path / "a\nb.jsonl" if content is None else write("in/a\nb.jsonl", content)
    with pytest.raises(UserError, match=r"^[^\n]*b.jsonl[', :][^\n]*$"):
        list(open_sources([], [path if content is None else tmp_path / "in"]).articles())

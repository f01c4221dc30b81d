"""The ``predict`` command: every format, every way in, and one line with exit code 2 for every mistake."""

import csv
import io
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.predict import main
from models.predictor import Predictor
from models.records import Claim, PredictedSentence, Prediction, Span
from models.render import COLUMNS, render, table

ROOT = Path(__file__).parents[2]
TEXT = "وحید قبادی دانا، رئیس سازمان بهزیستی کشور گفت: ۴۰۰ مرکز افتتاح شد. بودجه ۲.۵ میلیون تومان است."


@pytest.fixture
def run(tiny_folder, capsys):
    """Run the command with the tiny model; gives exit code, standard output and standard error."""

    def call(*argv, model=tiny_folder):
        code = main([*map(str, argv), "--model", str(model), "--device", "cpu"])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def write(tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return file


def records(out):
    return [json.loads(line) for line in out.splitlines()]


def pipe_in(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# --- ways in ---


def test_texts_give_a_json_line_each(run):
    code, out, err = run(TEXT, "بله.")
    assert (code, err) == (0, "")
    assert [(r["id"], r["text"]) for r in records(out)] == [("1", TEXT), ("2", "بله.")]


def test_a_text_file_is_one_document_with_offsets_into_the_file(run, write):
    content = "\ufeffخبر یک:\r\n" + TEXT + "\r\n"
    (record,) = records(run("--input", write("news.txt", content))[1])
    assert (record["id"], record["text"]) == ("news", content[1:])
    assert [record["text"][s["start"] : s["end"]] for s in record["sentences"]] == [s["text"] for s in record["sentences"]]


def test_a_jsonl_file_is_a_document_a_line(run, write):
    lines = ['{"text": "بله.", "id": "a"}', "", '{"text": "نه."}', '{"id": 7, "text": ""}']
    found = records(run("--input", write("news.jsonl", "\n".join(lines)), write("b.txt", "آری."))[1])
    assert [(r["id"], r["text"]) for r in found] == [("a", "بله."), ("news-3", "نه."), ("7", ""), ("b", "آری.")]


def test_standard_input_is_one_document(run, monkeypatch):
    pipe_in(monkeypatch, TEXT.encode())
    (record,) = records(run()[1])
    assert (record["id"], record["text"]) == ("stdin", TEXT)


# --- formats ---

PREDICTION = Prediction(
    "<a&b>",
    "زیبا گفت ۴۰۰ واحد <b>«ساخت»</b>\x1b[31m.\nپایان\n",
    (
        PredictedSentence(
            0,
            37,
            "زیبا گفت ۴۰۰ واحد <b>«ساخت»</b>\x1b[31m.",
            Claim("STATISTIC", 0.93, {"ANNOUNCEMENT": 0.04, "STATISTIC": 0.93, "POLICY": 0.03}),
            (Span("PERSON", 0, 4, "زیبا", 0.98), Span("NUMBER", 9, 12, "۴۰۰", 0.875, 400000, "واحد")),
        ),
        PredictedSentence(38, 43, "پایان", Claim(None, 0.4, {"ANNOUNCEMENT": 0.4, "STATISTIC": 0.3, "POLICY": 0.3}), ()),
    ),
)


def test_the_table_is_a_line_a_sentence_and_a_line_a_span():
    assert table(PREDICTION) == (
        "<a&b>\n\n"
        "STATISTIC    0.93  زیبا گفت ۴۰۰ واحد <b>«ساخت»</b> [31m.\n"
        "  PERSON     0.98           زیبا\n"
        "  NUMBER     0.88  400,000  ۴۰۰ (واحد)\n\n"
        "—            0.40  پایان\n"
    )


def test_the_table_is_coloured_on_demand_alone():
    assert "\x1b" not in table(PREDICTION)
    assert "\x1b[34mPERSON" in table(PREDICTION, colour=True)


def test_csv_has_a_row_a_span_and_one_for_a_sentence_without():
    rows = list(csv.DictReader(io.StringIO("".join(render([PREDICTION], "csv")))))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["document"], r["sentence"], r["claim"], r["label"], r["text"], r["value"], r["unit"]) for r in rows] == [
        ("<a&b>", "1", "STATISTIC", "PERSON", "زیبا", "", ""),
        ("<a&b>", "1", "STATISTIC", "NUMBER", "۴۰۰", "400000", "واحد"),
        ("<a&b>", "2", "", "", "", "", ""),
    ]
    assert [PREDICTION.text[int(r["start"]) : int(r["end"])] for r in rows[:2]] == ["زیبا", "۴۰۰"]


@given(st.text(), st.text(st.sampled_from("\r\n\",' a"), min_size=1))
def test_csv_is_read_back_as_it_was_whatever_the_text(id, text):
    prediction = Prediction(id, text, (PredictedSentence(0, len(text), text, None, ()),))
    (row,) = csv.DictReader(io.StringIO("".join(render([prediction], "csv")), newline=""))
    assert (row["document"], row["sentence_text"]) == (id, text)


class Page(HTMLParser):
    """What a browser would make of a page: its elements, balanced, and the text of its sentences."""

    def __init__(self, source):
        super().__init__()
        self.open, self.marks, self.sentences, self.attributes = [], [], [], {}
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag == "meta":
            return
        self.open.append(tag)
        self.attributes.setdefault(tag, dict(attrs))
        if tag == "p":
            self.sentences.append("")
        if tag == "mark" and "p" in self.open:
            self.marks.append(dict(attrs))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "p" in self.open:
            self.sentences[-1] += data


def test_the_page_is_right_to_left_escaped_and_needs_nothing_beside_it():
    source = "".join(render([PREDICTION], "html"))
    page = Page(source)
    assert page.attributes["html"] == {"lang": "fa", "dir": "rtl"}
    assert page.sentences == ["زیبا گفت ۴۰۰ واحد <b>«ساخت»</b>\ufffd[31m.", "پایان"]
    assert [(m["class"], m["data-badge"]) for m in page.marks] == [("PERSON", "شخص"), ("NUMBER", "400,000 واحد")]
    assert "http" not in source
    assert "src=" not in source


def test_the_page_keeps_the_line_ends_of_windows():
    text = "خبر یک،\r\nخبر دو"
    page = Page("".join(render([Prediction("a", text, (PredictedSentence(0, len(text), text, None, ()),))], "html")))
    assert page.sentences == [text]


@pytest.mark.parametrize(("name", "start"), [("o.jsonl", '{"id"'), ("o.csv", "document,"), ("o.HTML", "<!DOCTYPE"), ("o.txt", "1\n")])
def test_the_suffix_of_the_output_chooses_the_format(run, tmp_path, name, start):
    assert run(TEXT, "--output", tmp_path / "new" / name) == (0, "", "")
    assert (tmp_path / "new" / name).read_text(encoding="utf-8").startswith(start)


def test_the_named_format_wins_over_the_suffix(run, tmp_path):
    run(TEXT, "--output", tmp_path / "o.out", "--format", "csv")
    assert (tmp_path / "o.out").read_text(encoding="utf-8").startswith("document,")


def test_a_terminal_gets_a_table(run, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(TEXT)[1].startswith("1\n\n")


# --- mistakes ---

LONG = "خبر " * 20_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.txt", None, "absent.txt: no such file; check the path"),
        ("empty.txt", "", "empty.txt: holds no text"),
        ("blank.txt", " \n\n", "blank.txt: holds no text"),
        ("empty.jsonl", "\n\n", "empty.jsonl: holds no text"),
        ("bad.txt", "خبر\n\n".encode() + b"\xff", "bad.txt, line 3: not valid UTF-8"),
        ("broken.jsonl", '{"text": "a"}\n{"text": \n', "broken.jsonl, line 2: not valid JSON"),
        ("list.jsonl", '{"text": "a"}\n\n["a"]', "list.jsonl, line 3: a JSON list, not an object"),
        ("none.jsonl", '{"text": "a"}\n{"body": "b"}', "none.jsonl, line 2: no field 'text'"),
        ("number.jsonl", '{"text": 5}', "number.jsonl, line 1, field 'text': int in place of str; mend the field"),
        ("id.jsonl", '{"text": "a", "id": ["x"]}', "id.jsonl, line 1, field 'id': list in place of a string"),
        ("true.jsonl", '{"text": "a", "id": true}', "true.jsonl, line 1, field 'id': bool in place of a string; mend or leave out"),
        ("half.jsonl", '{"text": "a\\ud800"}', "half a surrogate pair"),
        ("page.pdf", "%PDF", "page.pdf: files with the suffix '.pdf' are not read; give .txt"),
        ("long.txt", LONG, "document long, character 0: a sentence of 20000 words, over 10000; break the text into lines"),
        ("long.jsonl", json.dumps({"text": LONG}), "document long-1, character 0: a sentence of 20000 words"),
    ],
)
def test_bad_input_gives_one_line_and_writes_nothing(run, write, name, content, message):
    path = write(name, content or "")
    if content is None:
        path.unlink()
    good, output = write("good.txt", TEXT), write("out.jsonl", "old")
    code, out, err = run("--input", good, path, "--output", output)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert output.read_text() == "old"
    assert run("--input", good, path) == (2, "", err)


def test_a_folder_with_nothing_that_is_read(run, tmp_path, write):
    write("notes.md", "a")
    write(".hidden.txt", "a")
    code, out, err = run("--input", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tmp_path}: no file in this folder is read; it needs .txt (a document)")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--format", "xml"], "argument --format: invalid choice: 'xml'"),
        (["--batch", "2"], "unrecognized arguments: --batch 2; see predict --help"),
        (["--input"], "argument --input: expected at least one argument"),
        (["--output", "x.foo"], "x.foo: no format goes with the suffix '.foo'; use .jsonl"),
        (["--format", "parquet"], "--format parquet is no text; name a file: --output FILE.parquet"),
        (["--engine", "onnx"], "no onnx/model_int8.onnx in it; use engine torch"),
        (["--worker-cpus", "0"], "argument --worker-cpus: '0' is no number over 0"),
        (["--worker-cpus", "inf"], "argument --worker-cpus: 'inf' is no number over 0"),
    ],
)
def test_a_usage_error_is_one_line_too(run, argv, message):
    code, out, err = run("بله.", *argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--input", TEXT * 3 + "\n"], "cannot be read: File name too long; check the path"),
        (["--output", "x" * 300 + ".jsonl"], "cannot be written: File name too long; check the path"),
        (["--output", "x" * 300 + "/"], "cannot be written: File name too long; check the path"),
        pytest.param(
            ["--output", "loop", "--format", "csv"],
            "loop: cannot be written: Symlink loop from ",
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="it is replaced like any link that leads nowhere"),
        ),
        (["--output", "loop/", "--input", "in"], "loop: cannot be written: "),
    ],
)
def test_a_path_that_the_system_refuses_is_one_line_too(run, write, tmp_path, monkeypatch, argv, message):
    write("text.txt", TEXT).rename((tmp_path / "in").mkdir() or tmp_path / "in/text.txt")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*(argv if "--input" in argv else [TEXT, *argv]))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("in/s.txt", "in/s.txt", "in/s.txt: is the input in/s.txt itself; name another place"),
        ("in/s.txt", "link.txt", "link.txt: is the input in/s.txt itself; name another place"),
        ("in", "in/out.jsonl", "in/out.jsonl: lies in the input in and would be read itself; name a place outside"),
        ("in", "in/new/out.parquet", "in/new/out.parquet: lies in the input in and would be read itself; name a place outside"),
    ],
)
def test_an_output_that_is_input_is_refused(run, tmp_path, monkeypatch, source, output, message):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/s.txt").write_text(TEXT)
    Path("link.txt").symlink_to("in/s.txt")
    assert run("--input", source, "--output", output) == (2, "", f"error: {message}\n")
    assert Path("in/s.txt").read_text() == TEXT
    assert [path.name for path in Path("in").iterdir()] == ["s.txt"]


def test_an_output_beside_the_input_that_is_not_read_is_written(run, write):
    source = write("s.txt", TEXT)
    assert run("--input", source.parent, "--output", source.with_suffix(".csv"))[0] == 0


def test_options_of_a_long_run_are_for_one(run):
    assert run("بله.", "--workers", "2")[::2] == (2, "error: --workers is for a long run; name a folder: --output FOLDER/\n")


def test_a_full_disk(run):
    code, _, err = run("بله.", "--output", "/dev/full", "--format", "jsonl")
    assert (code, err) == (2, "error: /dev/full: cannot be written: No space left on device; make room and run the command again\n")


def test_empty_standard_input(run, monkeypatch):
    pipe_in(monkeypatch, b" \n")
    code, _, err = run()
    assert code == 2
    assert err.startswith("error: standard input: holds no text")


def test_standard_input_that_is_not_utf8(run, monkeypatch):
    pipe_in(monkeypatch, b"a\n\xe3")
    assert run()[::2] == (2, "error: standard input, line 2: not valid UTF-8 (byte 0xe3); save the file as UTF-8\n")


@pytest.mark.parametrize(("name", "argv", "code"), [("stdin", [], 2), ("stdout", ["بله."], 0), ("stderr", ["بله."], 0)])
def test_a_standard_stream_that_is_closed_is_as_one_that_leads_nowhere(run, monkeypatch, name, argv, code):
    monkeypatch.setattr(sys, name, None)  # what Python has for `predict <&-`
    found, _, err = run(*argv)
    assert (found, err.count("\n")) == (code, name == "stdin"), err


def test_a_model_without_weights(run, model_folder):
    (model_folder / "model.safetensors").unlink()
    code, out, err = run("بله.", model=model_folder)
    assert (code, out) == (2, "")
    assert f"{model_folder}: no weights in it" in err


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU")
def test_a_gpu_that_is_not_there(tiny_folder, capsys):
    assert main(["بله.", "--model", str(tiny_folder), "--device", "cuda"]) == 2
    assert "device cuda: no such GPU" in capsys.readouterr().err


def test_help_is_exit_code_0(capsys):
    assert main(["--help"]) == 0
    assert "--input PATH" in capsys.readouterr().out


def test_ctrl_c_leaves_the_old_output(run, tmp_path, monkeypatch):
    def interrupted(*_):
        yield PREDICTION
        raise KeyboardInterrupt

    output = tmp_path / "o.jsonl"
    output.write_text("old")
    monkeypatch.setattr(Predictor, "predict", interrupted)
    assert run("بله.", "--output", output)[0] == 130
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


# --- as a process ---


def process(*argv, cwd, **kwargs):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "models.predict", *map(str, argv)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, check=False, **kwargs)


def test_outside_the_checkout(tiny_folder, tmp_path):
    done = process("--model", tiny_folder, "--device", "cpu", cwd=tmp_path, input=TEXT.encode())
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert json.loads(done.stdout)["text"] == TEXT


def test_a_usage_error_does_not_wait_for_torch():
    code = "import sys; from models.predict import main; print(main(['--input', 'absent.txt']), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "2 False\n"

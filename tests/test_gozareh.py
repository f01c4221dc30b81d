"""The public face: what ``import gozareh`` gives."""

import subprocess
import sys

import gozareh


def test_load_and_predict(tiny_folder):
    predictor = gozareh.load(tiny_folder, device="cpu", engine="torch")
    assert isinstance(predictor, gozareh.Predictor)
    (prediction,) = predictor.predict([gozareh.Article("a", "خبر خوب.", ((0, 8),))])
    assert isinstance(prediction, gozareh.Prediction)
    assert prediction.to_dict()["id"] == "a"


def test_the_import_alone_registers_the_pipeline(tiny_folder):
    code = (
        "import sys, gozareh; from transformers import pipeline; "
        "print(type(pipeline('gozareh', sys.argv[1], device='cpu')).__name__, file=sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny_folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "GozarehPipeline"
    assert "already registered" not in done.stderr

"""Gozareh («گزاره», "statement") reads Persian news: who, in what office, how much, which programme, and what each sentence claims.

>>> import gozareh
>>> predictor = gozareh.load()  # the published model; or a folder, or a hub name
>>> for prediction in predictor.predict(["وحید قبادی دانا، رئیس سازمان بهزیستی کشور گفت: ۴۰۰ مرکز افتتاح شد."]):
...     print(prediction.to_dict())

Importing it also makes ``transformers.pipeline("gozareh", FOLDER)`` known, and each stock pipeline on the other head's folder an error that
names the right call: ``pipeline("text-classification", FOLDER)`` and ``pipeline("token-classification", FOLDER + "/claim")``.
"""

from __future__ import annotations

from models.errors import UserError
from models.pipeline import GozarehPipeline, register
from models.predictor import Predictor, load
from models.records import Article, Prediction

register()

__all__ = ["Article", "GozarehPipeline", "Prediction", "Predictor", "UserError", "load"]

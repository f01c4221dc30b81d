"""The task "gozareh" of ``transformers.pipeline``: spans and claims of a document in one pass.

``import gozareh`` registers it; a published folder also carries it, for those who say ``trust_remote_code=True`` and install nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch.utils.data import Dataset
from transformers import Pipeline as _Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from .engines import read_entry
from .modeling import GozarehModel
from .predictor import BATCH_SIZE, Predictor, as_article
from .records import Article

TASK = "gozareh"
Pipeline: Any = _Pipeline  # its annotations fit neither its own subclasses nor ours


class GozarehPipeline(Pipeline):  # type: ignore[misc] # the base is Any
    """``pipe(text)`` gives what ``Prediction.to_dict()`` gives; lists give lists, generators and datasets iterators.

    A document is a string, an Article, or a dictionary with ``text`` and perhaps ``id``. The pipeline's ``batch_size`` counts documents
    that are read together; their sentences are batched by length in any case, ``sentence_batch_size`` of them at a time.
    """

    _load_tokenizer = True
    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.predictor = Predictor.of(self.model, self.tokenizer, read_entry(self.model.config, "the model's configuration"))

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Read one document or many; see the class."""
        if isinstance(inputs, list) and not inputs:
            return []
        one_or_known = isinstance(inputs, str | Article | Mapping | list | Dataset)
        if not one_or_known and isinstance(inputs, Iterable):  # a tuple, a column of a data set, an iterator
            inputs = (document for document in inputs)
        return super().__call__(inputs, *args, **kwargs)

    def _sanitize_parameters(self, sentence_batch_size: int | None = None) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, {} if sentence_batch_size is None else {"sentence_batch_size": sentence_batch_size}, {}

    def preprocess(self, document: str | Article | Mapping[str, str]) -> dict[str, Any]:
        """One document."""
        return {"article": as_article(document, id="")}

    def _forward(self, inputs: dict[str, Any], sentence_batch_size: int = BATCH_SIZE) -> dict[str, Any]:
        """One document or, as the pipeline collates a batch, a list of them."""
        articles = inputs["article"]
        batch = articles if isinstance(articles, list) else [articles]
        predictions = list(self.predictor.predict(batch, sentence_batch_size))
        return {"prediction": predictions if isinstance(articles, list) else predictions[0]}

    def postprocess(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """One document's prediction as plain JSON types."""
        result: dict[str, Any] = outputs["prediction"].to_dict()
        return result

    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> None:
        """Save model and tokenizer. The code is not copied beside them, as transformers would: publishing does that."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.tokenizer.save_pretrained(save_directory)


def register() -> None:
    """Make ``pipeline("gozareh", FOLDER)`` known to transformers in this process; once is enough, again does nothing."""
    if TASK not in PIPELINE_REGISTRY.supported_tasks:
        PIPELINE_REGISTRY.register_pipeline(TASK, GozarehPipeline, pt_model=GozarehModel, type="text")

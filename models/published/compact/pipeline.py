"""The task "gozareh" of ``transformers.pipeline``: spans and claims of a document in one pass.

``import gozareh`` registers it; a published folder also carries it, for those who say ``trust_remote_code=True`` and install nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import Dataset
from transformers import Pipeline as _Pipeline
from transformers import TextClassificationPipeline, TokenClassificationPipeline
from transformers.pipelines import PIPELINE_REGISTRY

from .architectures import architecture
from .config_spec import AGAIN, check_entry
from .errors import UserError, first_line
from .folder import check_folder
from .labels import CLAIMS
from .modeling import CLAIM_DOOR, GozarehModel
from .predictor import Predictor, as_article
from .records import Article

if TYPE_CHECKING:  # of a local folder, transformers before 5.10 copies only the files that this one names: the rest of what it needs
    from .config_spec import FORMAT  # noqa: F401
    from .encoding import Encoding  # noqa: F401
    from .engines import open_model  # noqa: F401
    from .files import read_json  # noqa: F401
    from .hub import download  # noqa: F401
    from .numerals import value_of  # noqa: F401
    from .onnx_engine import GRAPH  # noqa: F401
    from .safetensors_header import shapes  # noqa: F401
    from .text import sentences  # noqa: F401
    from .tokenizer_spec import check_spec  # noqa: F401
    from .torch_engine import TorchEngine  # noqa: F401

TASK = "gozareh"
SPAN_DOOR = 'pipeline("token-classification", FOLDER, aggregation_strategy="simple", stride=…)'
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
        config = self.model.config
        positions = architecture(config).positions(config.to_dict())
        reading = check_entry(getattr(config, "gozareh", None), positions, "the model's configuration")
        self.predictor = Predictor.of(self.model, self.tokenizer, reading)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Read one document or many; see the class."""
        if isinstance(inputs, list) and not inputs:
            return []
        one_or_known = isinstance(inputs, str | Article | Mapping | list | Dataset)
        if not one_or_known and isinstance(inputs, Iterable):  # a tuple, a column of a data set, an iterator
            inputs = (document for document in inputs)
        return super().__call__(inputs, *args, **kwargs)

    def _sanitize_parameters(
        self, sentence_batch_size: int | None = None, **others: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if others:
            raise TypeError(
                f'pipeline("{TASK}") takes batch_size and sentence_batch_size, not {", ".join(others)}; '
                f"those of the stock pipelines go with {SPAN_DOOR} or {CLAIM_DOOR}"
            )
        return {}, {} if sentence_batch_size is None else {"sentence_batch_size": sentence_batch_size}, {}

    def preprocess(self, document: str | Article | Mapping[str, str]) -> dict[str, Any]:
        """One document."""
        return {"article": as_article(document, id="")}

    def _forward(self, inputs: dict[str, Any], sentence_batch_size: int | None = None) -> dict[str, Any]:
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


class CheckedModel(GozarehModel):
    """Loads a GozarehModel as ``load`` does: a folder is checked as a whole first, and weights are safetensors alone."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Raises UserError for whatever is not a whole model: after any other error transformers would try the stock class, and pickles."""
        folder = Path(pretrained_model_name_or_path, kwargs.get("subfolder") or "")
        if folder.is_dir():
            check_folder(folder)
        try:
            return GozarehModel.from_pretrained(pretrained_model_name_or_path, *args, **kwargs | {"use_safetensors": True})
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{pretrained_model_name_or_path}: cannot be loaded: {first_line(error)}; {AGAIN}") from None


class GuardedTextClassification(TextClassificationPipeline):
    """The stock pipeline, which opens no published folder of ours without ``/claim``: it would apply the span head and say nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        if hasattr(self.model.config, "gozareh"):
            raise UserError(f"{self.model.config.name_or_path}: its claim head is in its claim/; call {CLAIM_DOOR}")


class GuardedTokenClassification(TokenClassificationPipeline):
    """The stock pipeline, which does not open our ``claim/``: it would put the claim head over every token and say nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        labels = self.model.config.id2label or {}
        if set(labels.values()) == set(CLAIMS):  # its config.json is a stock one: the labels alone tell that it is ours
            raise UserError(f"{self.model.config.name_or_path}: holds the claim head, not the spans'; call {SPAN_DOOR}")


def register() -> None:
    """Make ``pipeline("gozareh", FOLDER)`` known to transformers in this process; once is enough, again does nothing.

    It also guards ``pipeline("text-classification", FOLDER)`` and ``pipeline("token-classification", FOLDER + "/claim")``. Both are as
    before for every model that is not ours.
    """
    tasks = PIPELINE_REGISTRY.supported_tasks
    if TASK not in tasks:
        PIPELINE_REGISTRY.register_pipeline(TASK, GozarehPipeline, pt_model=CheckedModel, type="text")
        tasks["text-classification"]["impl"] = GuardedTextClassification
        tasks["token-classification"]["impl"] = GuardedTokenClassification

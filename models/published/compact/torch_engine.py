"""The network itself, by torch, on a CPU or a GPU."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from .config_spec import AGAIN
from .encoding import Ids, Outputs
from .errors import UserError, first_line
from .folder import INDEX, SINGLE, CheckedFolder
from .modeling import GozarehModel, joint_class

_LARGEST_WEIGHT = 65504.0  # of a 16-bit float: files of ours hold no larger one
_CPU_BUDGET, _GPU_BUDGET = 1024, 16_384  # tokens


class TorchEngine:
    """The network, in evaluation mode, wherever it is."""

    def __init__(self, model: GozarehModel) -> None:
        model.eval()  # type: ignore[no-untyped-call]
        self.model = model
        self.budget = _GPU_BUDGET if model.device.type == "cuda" else _CPU_BUDGET

    def submit(self, input_ids: Ids, attention_mask: Ids) -> Future[Outputs]:
        """See ``predictor.Engine``. Done when it returns: autocast and the like belong to the calling thread, and torch has its own."""
        done: Future[Outputs] = Future()
        done.set_result(self(input_ids, attention_mask))
        return done

    @torch.inference_mode()
    def __call__(self, input_ids: Ids, attention_mask: Ids) -> Outputs:
        """One batch."""
        device = self.model.device
        output = self.model(torch.from_numpy(input_ids).to(device), attention_mask=torch.from_numpy(attention_mask).to(device))
        claims = output.claim_logits
        return output.logits.float().cpu().numpy(), None if claims is None else claims.float().cpu().numpy()


def find_device(name: str) -> torch.device:
    """The torch device that a name means. Raises UserError for an unknown name and for a GPU that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise UserError(f"device {name!r}: there are auto, cpu, cuda and cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UserError(f"device {name}: no such GPU that torch {torch.__version__} can use; leave the device out, or name cpu")
    return torch.device(name)


def load_network(checked: CheckedFolder) -> GozarehModel:
    """A folder's network, on the CPU. Raises UserError where there are no weights, or some that are no numbers of 16 bits."""
    folder = checked.path
    if not any((folder / name).exists() for name in (SINGLE, INDEX)):
        raise UserError(f"{folder}: no weights in it ({SINGLE} is missing); {AGAIN}")
    try:
        fields = dict(checked.config)
        network_class = joint_class(fields.pop("model_type"))
        config = network_class.config_class(**fields)
        model: Any = network_class.from_pretrained(folder, config=config, dtype=torch.float32, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError, StrictDataclassError) as error:
        raise UserError(f"{folder}: cannot be loaded: {first_line(error)}; {AGAIN}") from None
    for name, tensor in model.named_parameters():
        low, high = tensor.detach().aminmax()
        if not (low >= -_LARGEST_WEIGHT and high <= _LARGEST_WEIGHT):  # so that it also catches what is not a number
            raise UserError(f"{folder}: {name} holds what is not a number, or is no weight by its size; {AGAIN}")
    network: GozarehModel = model
    return network

"""Which models compute the same in train and in eval mode, so that one forward pass serves training and evaluation."""

from typing import TypeVar

from torch import nn
from torch.nn.modules import module as everywhere

Kind = TypeVar("Kind", bound=type[nn.Module])

_SAME: set[type[nn.Module]] = {nn.Linear, nn.LayerNorm, nn.ModuleList}


def same_in_both_modes(kind: Kind) -> Kind:
    """Class decorator: the module draws no random number and changes no buffer, nor asks for its mode but for dropout.

    One with dropout has its probability as the attribute ``dropout``, and asks where that is not 0.

    This is said of its own ``forward``, not of the modules in it, nor of a class derived from it.
    """
    _SAME.add(kind)
    return kind


def mode_matters(model: nn.Module) -> bool:
    """Whether ``model`` may compute something else in train mode than in eval mode, or at its second call.

    It does not where every module in it is of a class that is known, has no dropout, no hook and no ``forward`` of its
    own, and is not compiled; of anything else nothing is known.
    """
    return bool(everywhere._global_forward_hooks or everywhere._global_forward_pre_hooks) or any(
        type(module) not in _SAME
        or getattr(module, "dropout", 0)
        or module._compiled_call_impl is not None
        or _changed(module)
        for module in model.modules()
    )


def _changed(module):
    """Whether the instance has what its class has not: a ``forward``, or a hook around one."""
    return any(value for name, value in vars(module).items() if "forward" in name)

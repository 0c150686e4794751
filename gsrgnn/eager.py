"""What `torch.compile` is to leave as it is."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def eager(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Decorator as `torch.compiler.disable`, which imports the compiler (a second and more) where it is not needed."""

    @wraps(function)
    def call(*arguments: Given.args, **options: Given.kwargs) -> Returned:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*arguments, **options)
        return function(*arguments, **options)

    return call

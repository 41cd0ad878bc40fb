"""Options that belong together as one parameter of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

from reachbox.cli.answer import Answer

Command = Callable[..., Answer]


def flattened(command: Command) -> Command:
    """A command as typer reads it: each parameter that is a dataclass of options becomes those options."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint) and name != "return"}
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        alone = parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += _options(groups[name]) if name in groups else [alone]

    @wraps(command)
    def flat(**given: Any) -> Answer:
        made = {name: group(**_taken(group, given)) for name, group in groups.items()}
        return command(**given, **made)

    del flat.__wrapped__
    flat.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat


def _options(group: Any) -> list[Parameter]:
    """A parameter for each field of a dataclass."""
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _taken(group: Any, given: dict[str, Any]) -> Mapping[str, Any]:
    """What was given for a group's fields, taken out of the rest."""
    return {field.name: given.pop(field.name) for field in fields(group)}

"""The one way in for code of the user's: by import name, never a file path, an expression or a pickle."""

import difflib
import importlib
import keyword


def import_object(name: str) -> object:
    """Import what ``package.module:name`` names.

    Args:
        name: Dotted identifiers of a module that Python can import, a colon, and one identifier within it.

    Returns:
        Whatever the module holds under that name.

    Raises:
        ValueError: The form is another one, the module cannot be imported, or it has no such name.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not all(_is_identifier(part) for part in (*module_name.split("."), attribute)):
        raise ValueError(
            f"expected an import name as 'package.module:name', got {name!r}; file paths and expressions are not "
            "taken: put the code into a module that Python can import"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(_not_found(name, module_name, error)) from error
    except Exception as error:  # code of a stranger runs here and may raise anything
        raise ValueError(f"{name!r}: importing {module_name!r} failed with {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        public = sorted(entry for entry in dir(module) if not entry.startswith("_"))
        near = sorted(difflib.get_close_matches(attribute, public, n=5))
        hint = f"did you mean one of {', '.join(near)}?" if near else f"it has {', '.join(public[:20])}"
        raise ValueError(f"module {module_name!r} has no {attribute!r}; {hint}")
    found: object = getattr(module, attribute)
    return found


def _is_identifier(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _not_found(name: str, module_name: str, error: ModuleNotFoundError) -> str:
    missing = error.name or ""
    if module_name == missing or module_name.startswith(f"{missing}."):
        remedy = "install its package, or put the folder that holds it on PYTHONPATH"
        return f"{name!r}: there is no module {missing!r}; {remedy}"
    return f"{name!r}: module {module_name!r} needs {missing!r}, which is not installed"

"""A faster parse: what jsonargparse has made of a class with its arguments, it does not make again in the same parse.

jsonargparse fills in defaults and checks types at each level of nested classes, and each level does so for all below it
two or three times. With five levels it parses the same class with the same arguments dozens of times, which is half of
the time of a parse. The results are those of jsonargparse itself; a test compares them for configs of each kind.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import Namespace

try:
    from jsonargparse import _typehints as parser
    from jsonargparse._common import lenient_check
    from jsonargparse._util import NestedArg

    _KNOWN = all(hasattr(parser, name) for name in ("adapt_class_type", "sub_defaults", "dump_kwargs"))
except ImportError:  # another version, which has other parts inside: it parses at its own speed
    _KNOWN = False

_Key = tuple[object, ...]


@contextmanager
def parsed_once() -> Iterator[None]:
    """Parse each class with the same arguments once, for the length of the outermost block.

    Within it no class may be replaced by another of its name, and no default may change.
    """
    if not _KNOWN or hasattr(parser.adapt_class_type, "plain"):
        yield
        return
    parse: Callable[..., Namespace] = parser.adapt_class_type
    made: dict[_Key, tuple[Namespace, object]] = {}

    def adapt_class_type(
        value: Any,  # noqa: ANN401 - jsonargparse's signature
        serialize: bool,
        instantiate_classes: bool,
        sub_add_kwargs: dict[str, Any],
        *rest: Any,  # noqa: ANN401 - likewise
        **named: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - likewise
        arguments = (value, serialize, instantiate_classes, sub_add_kwargs, *rest)
        # One option of the command line, added to others; and what is built is built each time.
        if instantiate_classes or isinstance(value.get("init_args"), NestedArg):
            return parse(*arguments, **named)
        state = lenient_check.get(), parser.sub_defaults.get()
        key = (*state, repr(parser.dump_kwargs.get()), repr(arguments), repr(named))
        if key not in made:
            given = (arguments, named)  # kept, so that no other object gets an address that stands in a key
            made[key] = parse(*arguments, **named).clone(), given
        return made[key][0].clone()

    adapt_class_type.plain = parse  # type: ignore[attr-defined]  # a block within this one remembers with it
    parser.adapt_class_type = adapt_class_type
    try:
        yield
    finally:
        parser.adapt_class_type = parse

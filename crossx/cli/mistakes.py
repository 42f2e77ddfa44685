"""One readable message out of the parser's report of a mistake.

jsonargparse reports a mistake as an indented tree: a level for every key and class on the way, a branch for every type
that a value might have had, and the whole config quoted between them. The branch that went deepest knows best.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crossx.cli.early import not_an_option
from crossx.cli.legal import Step, base_of, legal_classes, legal_options, owner_of
from crossx.cli.renamed import renamed_argument, renamed_option
from crossx.core.checks import did_you_mean, some
from crossx.core.errors import InputError

_KEY = re.compile(r'Parser key "([^"]+)":')
_CLASS = re.compile(r"Problem with given class_path '([^']+)':")
_CALLABLE = re.compile(r"Type \S.* expects a function or a callable class: (.*?)(?:\. Got value: (.*))?")
_CLASS_PATH = re.compile(r"class_path='([\w.]+)'")
_UNKNOWN_CLASS = re.compile(r"Expected a dot import path string: (\S+)")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_REQUIRED = re.compile(r"the following arguments are required: (\w+)")
_LACKS = "without "
_UNKNOWN_OPTION = re.compile(r"(?:Group '(?P<group>\S+)' does not accept option|Option) '(?P<option>[^']+)'")
_UNRECOGNIZED = "unrecognized arguments: "
_LITERAL = re.compile(r"Expected a typing\.Literal\[(.*)\](?:\. Got value: (.*))?")
_EXPECTED = re.compile(r"Expected an? (?:<class ')?([\w.]+)(?:'>)?(?:\. Got value: (.*))?")
_AROUND = ("Does not validate against", "Subtypes:", "Errors:", "Given value type:", "Given value:")
_POOR = ("Expected a <class 'NoneType'>", "Expected a path but")


@dataclass
class _Finding:
    """One thing that the parser found wrong, and the way to it."""

    way: list[Step]
    text: str
    given: str = ""

    @property
    def place(self) -> str:
        return ".".join(name for what, name in self.way if what == "key")

    @property
    def owner(self) -> str:
        """Class path of the innermost class around it."""
        return next((name for what, name in reversed(self.way) if what == "class"), "")


def explain(
    error: BaseException, verb: str = "fit", config: Mapping[str, Any] | None = None, known: Iterable[str] = ()
) -> str:
    """Explain which place of a config is wrong, why, and what is legal there.

    Args:
        error: What the parser raised, with its causes.
        verb: The command, whose `--help` has what is legal.
        config: The config that was parsed; tells which of several terms is meant.
        known: Options that the command has whatever the model is.

    Returns:
        One line, such as `model.schedule.warmup: must be int or float, got x`.
    """
    if mistake := input_error_behind(error):
        return str(mistake)
    findings = _findings(str(error))
    finding = max(findings, key=_depth, default=_Finding([], str(error)))
    text, given = " ".join(finding.text.split()), ""
    if named := _CALLABLE.fullmatch(text):
        text = named[1]
        if inner := _CLASS_PATH.search(named[2] or ""):
            finding.way.append(("class", inner[1]))
    if unknown := _UNKNOWN_CLASS.match(text) or _NO_ATTRIBUTE.match(text):
        given, legal = _class_wanted(finding, unknown[unknown.re.groups])
        text = _about_class(given, legal)
    elif missing := _NO_MODULE.fullmatch(text):
        name, legal = _class_wanted(finding, missing[1])
        given, near = missing[1], did_you_mean(name.rpartition(".")[2], legal)
        where = "must be installed, or in the working directory and named under imports"
        text = f"the package of the class cannot be imported: {text}; {where}{near}"
    elif choices := _choices(findings, finding):
        literal = _LITERAL.fullmatch(text)
        given = (literal[2] if literal else None) or finding.given
        text = f"must be one of {', '.join(choices)}; got {given!r}{did_you_mean(given, choices)}"
    elif lacking := _REQUIRED.fullmatch(text):
        given = f"{_LACKS}{lacking[1]}"
    elif options := _unknown_options(text):
        given = options[0].rpartition(".")[2]
        text = _about_options(options, finding, verb, known, config or {})
    elif expected := _EXPECTED.fullmatch(text):
        given, _, around = (expected[2] or finding.given).partition(". Got value: ")
        names = re.findall(rf"(\w+)=(?:{re.escape(given)}|{re.escape(repr(given))})[,)]", around)
        finding.way += [("key", name) for name in names if len(names) == 1]
        kinds = [kind[1] for f in findings if f.way == finding.way and (kind := _EXPECTED.fullmatch(f.text.strip()))]
        names = ["null" if kind == "NoneType" else kind for kind in dict.fromkeys(kinds)]
        text = f"must be {' or '.join(names)}, got {given}"
    place = _with_term(finding.place, given, config or {})
    text = re.sub(r"(?:a )?<class '([\w.]+)'>", r"\1", text)
    return f"{place}: {text}" if place else text


def _class_wanted(finding: _Finding, given: str) -> tuple[str, list[str]]:
    """The class that a user names at a place, whole where `given` is not its name, and the classes that fit there."""
    if finding.way and finding.way[-1][0] == "class":
        path = finding.owner
        return given if path.endswith(f".{given}") else path, legal_classes(finding.way[:-1])
    return given, legal_classes(finding.way)


def _choices(findings: list[_Finding], finding: _Finding) -> list[str]:
    """Values that are legal at the place of a finding, where it takes some values alone."""
    literals = [
        literal[1] for f in findings if f.way == finding.way and (literal := _LITERAL.fullmatch(f.text.strip()))
    ]
    return list(dict.fromkeys(name.strip(" '") for names in literals for name in names.split(",")))


def _about_class(given: str, legal: list[str]) -> str:
    name = given.rpartition(".")[2]
    must = f"must be one of {some(legal, name, 16)}, or the full path of another" if legal else "must be a full path"
    if (base := base_of(given)) and name not in legal:
        return f"class {given!r} does not fit here, because it is a {base}; {must}"
    return f"class {given!r} is not known; {must}{did_you_mean(name, legal)}"


def input_error_behind(error: BaseException) -> InputError | None:
    """The user's mistake among the causes of an error, if there is one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__cause__
    return cause


def _findings(message: str) -> list[_Finding]:
    """Leaves of the tree of mistakes that the parser reports."""
    above: list[tuple[int, Step | None]] = []
    found: list[tuple[int, _Finding]] = []
    for line in filter(str.strip, message.splitlines()):
        text = line.strip().removeprefix("- ")
        indent = len(line) - len(line.lstrip())
        above = [(depth, step) for depth, step in above if depth < indent]
        if key := _KEY.fullmatch(text):
            above.append((indent, ("key", key[1])))
        elif named := _CLASS.fullmatch(text):
            above.append((indent, ("class", named[1])))
        elif text.startswith(_AROUND):
            above.append((indent, None))
            if text.startswith("Given value: "):  # it follows the branches that it was given to
                for depth, inner in found:
                    inner.given = inner.given or (text.removeprefix("Given value: ") if depth > indent else "")
        else:
            inline = re.match(r'Parser key "([^"]+)": (.+)', text)
            way = [step for _, step in above if step]
            leaf = _Finding([*way, ("key", inline[1])], inline[2]) if inline else _Finding(way, text)
            found.append((indent, leaf))
    return [leaf for _, leaf in found]


def _depth(finding: _Finding) -> tuple[int, bool, bool, bool]:
    text = finding.text
    names_class = bool(_UNKNOWN_CLASS.match(text))
    return len(finding.way), not text.startswith(_POOR), not _CALLABLE.match(text), names_class


def _unknown_options(text: str) -> list[str]:
    if unknown := _UNKNOWN_OPTION.match(text):
        return [".".join(filter(None, [unknown["group"], unknown["option"]]))]
    if text.startswith(_UNRECOGNIZED):
        words = text.removeprefix(_UNRECOGNIZED).split()
        return [word.removeprefix("--").partition("=")[0] for word in words if word.startswith("--")] or words
    return []


def _about_options(
    options: list[str], finding: _Finding, verb: str, known: Iterable[str], config: Mapping[str, Any]
) -> str:
    place = ".".join(filter(None, (finding.place, options[0])))
    if old := renamed_option(place, config) or renamed_argument(options[0].partition(".")[0], finding.owner):
        return old
    if finding.owner:
        owner, wrong = owner_of(options[0], finding.owner)
        names = legal_options(owner, finding.way)
        legal = f"legal for {owner.__name__}: {', '.join(names)}{did_you_mean(wrong, names)}"
    else:
        legal = f"`crossx {verb} --help` lists the legal ones{_nearest(options[0], known)}"
    return not_an_option(options, legal)


def _nearest(option: str, known: Iterable[str]) -> str:
    """Hint at the nearest option with as many parts."""
    parts = option.count(".")
    return did_you_mean(option, {".".join(name.split(".")[: parts + 1]) for name in known})


def _with_term(place: str, given: str, config: Mapping[str, Any]) -> str:
    """The place with the name of the term that holds what was given; the parser leaves the name out."""
    before, marker, after = place.partition(".terms")
    if not marker or not given:
        return place
    found: Any = config
    for key in [*before.split("."), "terms"]:
        found = found.get("init_args", found).get(key, {}) if isinstance(found, Mapping) else {}
    terms = found.items() if isinstance(found, Mapping) else ()
    holders = [name for name, term in terms if _holds(term, given)]
    return f"{before}.terms.{holders[0]}{after}" if len(holders) == 1 else place


def _holds(term: object, given: str) -> bool:
    """Whether a term has something of this name, the class or package at the start or end of a path included."""
    if given.startswith(_LACKS):
        return isinstance(term, Mapping) and given.removeprefix(_LACKS) not in term
    return any(given == word or word.startswith(f"{given}.") or word.endswith(f".{given}") for word in _words(term))


def _words(value: object) -> set[str]:
    """Every key and value inside a term, as text."""
    if isinstance(value, Mapping):
        return {*map(str, value), *(word for child in value.values() for word in _words(child))}
    if isinstance(value, list):
        return {word for child in value for word in _words(child)}
    return {str(value)}

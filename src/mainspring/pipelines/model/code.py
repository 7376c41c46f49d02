"""What a step's result rests on as far as code goes: its function and everything of the user's it reaches.

`trace` walks from a function through the globals, closures, defaults and module attributes its
bytecode names, into the user's own functions and classes, and gives each of them a digest. Line
numbers, comments, docstrings, file names and the order of definitions do not count; what is
installed (standard library, site-packages, mainspring) counts by name only, since the environment
lock tells its version.

Bytecode and not source text is hashed: it is there in a notebook and a REPL, and formatting does
not change it. It differs between Python versions, which are part of the environment lock.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import importlib
import importlib.util
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from mainspring.kernel.canonical import digest
from mainspring.pipelines.model.installed import is_installed, module_label

Form = Any
"""A value reduced to JSON's types so that equal values have equal forms."""

_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_SKIPPED_ATTRIBUTES = frozenset(
    "__module__ __doc__ __dict__ __weakref__ __qualname__ __firstlineno__ __static_attributes__ __annotations__"
    " __annotate__ __annotate_func__ __annotations_cache__ __abstractmethods__ _abc_impl __parameters__"
    " __orig_bases__ __type_params__ __hash__ __match_args__ __dataclass_params__ __dataclass_fields__"
    " __classdictcell__".split()
)


@dataclass(frozen=True)
class Trace:
    """parts: name of each of the user's functions and classes reached to its digest; modules: where they stand."""

    parts: Mapping[str, str]
    modules: tuple[str, ...]

    @property
    def hash(self) -> str:
        return digest(self.parts)


def trace(function: Callable[..., Any]) -> Trace:
    """Everything of the user's that `function` reaches. Never raises for odd values: see `_Walk.form`."""
    walk = _Walk()
    walk.unit(function)
    while walk.queue:
        walk.queue.pop()()
    return Trace(dict(sorted(walk.parts.items())), tuple(sorted(walk.modules)))


@dataclass(frozen=True)
class _Reading:
    """What one code object and those nested in it say.

    instructions  digest of the operations with resolved arguments
    globals       dotted paths, beginning at a global name
    imports       (module name, level, attribute or "") of imports inside the function
    """

    instructions: str
    globals: tuple[tuple[str, ...], ...]
    imports: tuple[tuple[str, int, str], ...]


@functools.lru_cache(maxsize=4096)
def _read(code: types.CodeType) -> _Reading:
    # NOP and EXTENDED_ARG depend on layout; CACHE entries are not shown by `dis` anyway.
    kept = [i for i in dis.get_instructions(code) if i.opname not in ("NOP", "EXTENDED_ARG", "CACHE")]
    offsets = [instruction.offset for instruction in kept]
    operations: list[Form] = []
    paths: set[tuple[str, ...]] = set()
    imports: set[tuple[str, int, str]] = set()
    locals_: dict[str, tuple[str, int]] = {}
    for index, instruction in enumerate(kept):
        value = instruction.argval
        if instruction.opcode in dis.hasconst:
            if _sets_docstring(kept, index):
                continue
            operations.append([instruction.opname, _constant(value)])
            if isinstance(value, types.CodeType):
                nested = _read(value)
                paths.update(nested.globals)
                imports.update(nested.imports)
        elif instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
            operations.append([instruction.opname, sum(offset < value for offset in offsets)])
        else:
            operations.append([instruction.opname, value if isinstance(value, (int, str)) else repr(value)])
        match instruction.opname:
            case "LOAD_GLOBAL" | "LOAD_NAME":
                paths.add((value, *_attributes(kept, index + 1)))
            case "IMPORT_NAME":
                _note_import(kept, index, imports, locals_)
            case "LOAD_FAST" if value in locals_:
                name, level = locals_[value]
                attributes = _attributes(kept, index + 1)
                imports.add((name, level, ".".join(attributes)))
    shape = [
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & 0xFFFF,
        list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]),
    ]  # fmt: skip
    return _Reading(digest([shape, operations]), tuple(sorted(paths)), tuple(sorted(imports)))


def _sets_docstring(kept: list[dis.Instruction], index: int) -> bool:
    after = kept[index + 1] if index + 1 < len(kept) else None
    return after is not None and after.opname == "STORE_NAME" and after.argval == "__doc__"


def _attributes(kept: list[dis.Instruction], index: int) -> tuple[str, ...]:
    """The names of the attribute chain that begins at `index`: `pkg.helpers.clean` gives two."""
    names = []
    while index < len(kept) and kept[index].opname in ("LOAD_ATTR", "LOAD_METHOD"):
        names.append(str(kept[index].argval))
        index += 1
    return tuple(names)


def _note_import(
    kept: list[dis.Instruction], index: int, imports: set[tuple[str, int, str]], locals_: dict[str, tuple[str, int]]
) -> None:
    """Read `import a.b`, `import a.b as c` and `from a import b` at the IMPORT_NAME at `index`."""
    name = str(kept[index].argval)
    level = kept[index - 2].argval if index >= 2 and isinstance(kept[index - 2].argval, int) else 0
    position = index + 1
    found = False
    while position < len(kept) and kept[position].opname in (
        "IMPORT_FROM",
        "STORE_FAST",
        "STORE_DEREF",
        "SWAP",
        "POP_TOP",
    ):
        if kept[position].opname == "IMPORT_FROM":
            imports.add((name, level, str(kept[position].argval)))
            found = True
        elif not found and kept[position].opname == "STORE_FAST":
            # `import a.b` binds `a`, `import a.b as c` binds the last: both begin with a module.
            plain = str(kept[position].argval) == name.partition(".")[0]
            locals_[str(kept[position].argval)] = (name.partition(".")[0] if plain else name, level)
            return
        position += 1
    if not found:
        imports.add((name, level, ""))


def _constant(value: Any) -> Form:
    match value:
        case types.CodeType():
            return ["code", _read(value).instructions]
        case tuple():
            return ["tuple", *map(_constant, value)]
        case frozenset():
            return ["frozenset", *sorted(digest(_constant(item)) for item in value)]
    return [type(value).__name__, repr(value)]


@dataclass
class _Walk:
    """One trace in the making. Units refer to each other by name, so recursion needs no care."""

    parts: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    queue: list[Callable[[], None]] = field(default_factory=list)
    _names: dict[int, str] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)

    def unit(self, thing: Any) -> str:
        """The name under which a function or class of the user's stands in the trace; read once, later."""
        if id(thing) in self._names:
            return self._names[id(thing)]
        module = getattr(thing, "__module__", None) or "__main__"
        name = base = f"{module_label(module)}.{getattr(thing, '__qualname__', repr(type(thing)))}"
        count = 1
        while name in self.parts:
            count += 1
            name = f"{base}#{count}"
        self._names[id(thing)] = name
        self._kept.append(thing)  # keeps ids from being used twice
        self.modules.add(module)
        self.parts[name] = ""
        read = self._function if isinstance(thing, types.FunctionType) else self._class
        self.queue.append(lambda: self.parts.__setitem__(name, digest(read(thing))))
        return name

    def _function(self, function: types.FunctionType) -> Form:
        reading = _read(function.__code__)
        namespace = function.__globals__
        return {
            "instructions": reading.instructions,
            "defaults": self.form(function.__defaults__),
            "keyword defaults": self.form(function.__kwdefaults__),
            "closure": self._closure(function),
            "globals": {".".join(path): self._global(namespace, path) for path in reading.globals},
            "imports": [[*entry, self._imported(namespace, *entry)] for entry in reading.imports],
        }

    def _closure(self, function: types.FunctionType) -> Form:
        forms = {}
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                forms[name] = self.form(cell.cell_contents)
            except ValueError:  # not yet bound
                forms[name] = ["unbound"]
        return forms

    def _global(self, namespace: Mapping[str, Any], path: tuple[str, ...]) -> Form:
        name, *attributes = path
        if name not in namespace:
            return ["builtin"]
        return self._attribute(namespace[name], attributes)

    def _attribute(self, value: Any, attributes: Iterable[str]) -> Form:
        """Follow attributes as long as they lead through modules of the user's."""
        remaining = list(attributes)
        while isinstance(value, types.ModuleType) and remaining and not is_installed(value.__name__):
            self.modules.add(value.__name__)
            try:
                value = getattr(value, remaining.pop(0))
            except AttributeError:
                return ["undefined"]
        return self.form(value)

    def _imported(self, namespace: Mapping[str, Any], name: str, level: int, attributes: str) -> Form:
        """What an import inside a function leads to. Only the user's own modules are imported to be read."""
        full = "." * level + name
        try:
            full = importlib.util.resolve_name(full, namespace.get("__package__"))
            if is_installed(full):
                return ["installed", full]
            module = sys.modules.get(full) or importlib.import_module(full)
        except Exception as error:  # noqa: BLE001 - a user's module; the step will meet the same
            return ["not importable", type(error).__name__]
        if not attributes or attributes == "*":
            return self.form(module)
        first, *rest = attributes.split(".")
        if not hasattr(module, first):
            return self._imported(namespace, f"{name}.{first}" if name else first, level, ".".join(rest))
        return self._attribute(getattr(module, first), rest)

    def _class(self, kind: type) -> Form:
        own = {}
        for name, value in vars(kind).items():
            if name not in _SKIPPED_ATTRIBUTES:
                own[name] = self.form(value)
        if issubclass(kind, Enum):
            own = {name: value for name, value in own.items() if not name.startswith("_")}
            own |= {member.name: self.form(member.value) for member in kind}
        hints = {name: hint if isinstance(hint, str) else repr(hint) for name, hint in _annotations(kind).items()}
        return {"bases": [self.form(base) for base in kind.__bases__], "own": own, "annotations": hints}

    def form(self, value: Any) -> Form:
        """`value` by content; functions and classes of the user's by reference to their own entry.

        Instances of installed classes count by their pickled bytes, and what cannot be pickled by
        its type's name only: a lock or an open file is no part of a result.
        """
        if isinstance(value, _SCALARS) and not isinstance(value, Enum):
            return [type(value).__name__, repr(value)]
        if isinstance(value, types.FunctionType):
            return self._function_form(value)
        if isinstance(value, type):
            return ["name", _qualified(value)] if is_installed(value.__module__) else ["unit", self.unit(value)]
        if isinstance(value, types.ModuleType):
            return self._module_form(value)
        if id(value) in self._open:
            return ["cycle"]
        self._open.add(id(value))
        try:
            return self._object_form(value)
        finally:
            self._open.discard(id(value))

    def _function_form(self, function: types.FunctionType) -> Form:
        if str(function.__globals__.get("__name__")).startswith("namedtuple_"):
            return ["name", _qualified(function)]  # made from the fields, which the class tells
        if not is_installed(function.__globals__.get("__name__", "__main__"), function.__code__.co_filename):
            return ["unit", self.unit(function)]
        # A decorator from a library: its own code is installed, what it wraps may be the user's.
        inner = [cell.cell_contents for cell in function.__closure__ or () if _is_bound(cell)]
        wrapped = [self.form(value) for value in inner if callable(value)]
        return ["name", _qualified(function), wrapped]

    def _module_form(self, module: types.ModuleType) -> Form:
        """A module used as a value: all of it, since nobody can tell which part will be."""
        if is_installed(module.__name__):
            return ["installed", module.__name__]
        self.modules.add(module.__name__)
        if id(module) in self._open:
            return ["cycle"]
        self._open.add(id(module))
        own = {name: value for name, value in vars(module).items() if not name.startswith("__")}
        forms = {name: self.form(value) for name, value in own.items()}
        self._open.discard(id(module))
        return ["module", module_label(module.__name__), forms]

    def _object_form(self, value: Any) -> Form:
        match value:
            case tuple() | list():
                return [type(value).__name__, *map(self.form, value)]
            case set() | frozenset():
                return [type(value).__name__, *sorted(digest(self.form(item)) for item in value)]
            case Mapping():
                pairs = [[self.form(key), self.form(item)] for key, item in value.items()]
                return [type(value).__name__, *sorted(pairs, key=digest)]
            case Enum():
                return ["member", self.form(type(value)), value.name]
            case functools.partial():
                return ["partial", self.form(value.func), self.form(value.args), self.form(value.keywords)]
            case staticmethod() | classmethod():
                return [type(value).__name__, self.form(value.__func__)]
            case property():
                return ["property", *map(self.form, (value.fget, value.fset, value.fdel))]
            case types.MethodType():
                return ["method", self.form(value.__func__), self.form(value.__self__)]
        # Steps have `fn`, caches and the like `__wrapped__`, cached properties `func`.
        for attribute in ("fn", "__wrapped__", "func"):
            if isinstance(inner := getattr(value, attribute, None), types.FunctionType):
                return ["wrapped", _qualified(type(value)), self.form(inner)]
        return self._instance_form(value)

    def _instance_form(self, value: Any) -> Form:
        kind = type(value)
        if dataclasses.is_dataclass(value):
            return [
                "instance",
                self.form(kind),
                {f.name: self.form(getattr(value, f.name)) for f in dataclasses.fields(value)},
            ]
        if not is_installed(kind.__module__):
            state = getattr(value, "__dict__", {})
            return ["instance", self.form(kind), {name: self.form(item) for name, item in sorted(state.items())}]
        buffer = io.BytesIO()
        try:
            _ContentPickler(buffer, self).dump(value)
        except Exception:  # noqa: BLE001 - any class may raise anything from its own pickling
            return ["opaque", _qualified(kind)]
        return ["pickled", _qualified(kind), hashlib.sha256(buffer.getvalue()).hexdigest()]


class _ContentPickler(pickle.Pickler):
    """Pickles for hashing only: the user's functions and classes inside enter by what they say, not by name."""

    def __init__(self, file: io.BytesIO, walk: _Walk) -> None:
        super().__init__(file, protocol=5)
        self._walk = walk

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, (types.FunctionType, type, types.ModuleType)):
            return repr(self._walk.form(thing))
        return None


def _annotations(kind: type) -> Mapping[str, Any]:
    return dict(getattr(kind, "__annotations__", {}) or {})


def _is_bound(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _qualified(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"

"""Crafted pickles end in one named error and leave nothing behind, whatever they try."""

import collections
import copy
import copyreg
import importlib
import itertools
import os
import pickle
import random
import sys
import types

import pytest
from river import datasets, drift, linear_model, preprocessing

from checkpoints.errors import UnsafePickle
from checkpoints.unpickle import loads


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def call(callee: bytes, *arguments: bytes) -> bytes:
    return callee + b"(" + b"".join(arguments) + b"tR"


def make(kind: bytes, *arguments: bytes) -> bytes:
    return kind + b"(" + b"".join(arguments) + b"t\x81"


def state(thing: bytes, content: bytes) -> bytes:
    return thing + content + b"b"


def pairs(**content: bytes) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in content.items()) + b"u"


def slots(**content: bytes) -> bytes:
    return b"N" + pairs(**content) + b"\x86"


def program(body: bytes) -> bytes:
    return b"\x80\x05" + body + b"."


SCALER = named("river.preprocessing.scale", "StandardScaler")
REGRESSION = named("river.linear_model.log_reg", "LogisticRegression")
ROLLING = named("river.utils.rolling", "Rolling")
BAGGING = named("river.ensemble.bagging", "LeveragingBaggingClassifier")
GETATTR = named("builtins", "getattr")
PARTIAL = named("functools", "partial")
HUGE = b"\x8a\x06" + (10**12).to_bytes(6, "little")
TOUCH = text("touch weir-was-here")

CORPUS = {
    # Callables that run things
    "os.system": call(named("os", "system"), TOUCH),
    "posix.system": call(named("posix", "system"), TOUCH),
    "nt.system": call(named("nt", "system"), TOUCH),
    "subprocess.Popen": call(named("subprocess", "Popen"), text("true")),
    "subprocess.check_output": call(named("subprocess", "check_output"), TOUCH),
    "builtins.eval": call(named("builtins", "eval"), text("open('weir-was-here', 'w')")),
    "builtins.exec": call(named("builtins", "exec"), text("open('weir-was-here', 'w')")),
    "__builtin__.eval": call(named("__builtin__", "eval"), text("1")),
    "builtins.__import__": call(named("builtins", "__import__"), text("antigravity")),
    "builtins.open": call(named("builtins", "open"), text("weir-was-here"), text("w")),
    "builtins.compile": call(named("builtins", "compile"), text("1"), text("a"), text("eval")),
    "builtins.type": call(named("builtins", "type"), text("A"), b")", b"}"),
    "builtins.breakpoint": call(named("builtins", "breakpoint")),
    "builtins.vars": call(named("builtins", "vars"), SCALER),
    "builtins.setattr": call(named("builtins", "setattr"), SCALER, text("a"), text("b")),
    "builtins.object": make(named("builtins", "object")),
    "runpy.run_path": call(named("runpy", "run_path"), text("weir-was-here")),
    "pty.spawn": call(named("pty", "spawn"), text("sh")),
    "webbrowser.open": call(named("webbrowser", "open"), text("http://127.0.0.1:9")),
    "importlib.import_module": call(named("importlib", "import_module"), text("antigravity")),
    "pickle.loads": call(named("pickle", "loads"), b"C\x01."),
    "_pickle.loads": call(named("_pickle", "loads"), b"C\x01."),
    "marshal.loads": call(named("marshal", "loads"), b"C\x01."),
    "types.CodeType": named("types", "CodeType"),
    "types.FunctionType": named("types", "FunctionType"),
    "ctypes.CDLL": call(named("ctypes", "CDLL"), text("libc.so.6")),
    "shutil.rmtree": call(named("shutil", "rmtree"), text(".")),
    "pathlib.Path.touch": call(named("pathlib", "Path.touch"), text("weir-was-here")),
    "socket.create_connection": call(named("socket", "create_connection"), b")"),
    "urllib.request.urlopen": call(named("urllib.request", "urlopen"), text("file:///etc/passwd")),
    "logging.FileHandler": call(named("logging", "FileHandler"), text("weir-was-here")),
    "codecs": call(named("_codecs", "encode"), text("x"), text("rot13")),
    "operator.attrgetter": call(named("operator", "attrgetter"), text("__class__")),
    "operator.methodcaller": call(named("operator", "methodcaller"), text("system")),
    "copyreg.__newobj__": call(named("copyreg", "__newobj__"), SCALER),
    "copyreg._reconstructor": call(named("copyreg", "_reconstructor"), SCALER, SCALER, b"N"),
    "asyncio": call(named("asyncio.unix_events", "_UnixSubprocessTransport._start")),
    "bdb.Bdb.run": call(named("bdb", "Bdb.run"), text("1")),
    "timeit.timeit": call(named("timeit", "timeit"), text("1")),
    "our own loader": call(named("checkpoints.unpickle", "loads"), b"C\x01."),
    # Modules with effects on import, real ones and none
    "import antigravity": named("antigravity", "webbrowser"),
    "import this": named("this", "s"),
    "import of a module that is not there": named("river.linear_model.no_such", "A"),
    "import beside a trusted prefix": named("riverbank.stats", "Mean"),
    # River's own rooms with files, sockets and loops
    "river.stream.Cache": call(named("river.stream.cache", "Cache"), text("weir-was-here")),
    "river.stream.iter_csv": call(named("river.stream.iter_csv", "iter_csv"), text("x")),
    "river.datasets": make(named("river.datasets.elec2", "Elec2")),
    "river.datasets.base": make(named("river.datasets.base", "RemoteDataset")),
    "river.evaluate": named("river.evaluate.progressive_validation", "progressive_val_score"),
    "river.time_series.evaluate": named("river.time_series.evaluate", "evaluate"),
    "a module inside a room of clusters": named("river.cluster.odac", "collections"),
    "river.checks": named("river.checks.common", "check_pickling"),
    "river.bandit.datasets": named("river.bandit.datasets.base", "BanditDataset"),
    "river.bandit.envs": named("river.bandit.envs.testbed", "KArmedTestbed"),
    "a module inside a room": named("river.preprocessing.scale", "np"),
    "a class imported by a room": named("river.preprocessing.scale", "defaultdict"),
    "a function of a room": named("river.utils.random", "poisson"),
    "a River class by another door": named("river.preprocessing", "StandardScaler"),
    # Dotted names
    "dotted: os by a room": named("river.preprocessing.scale", "np.os.system"),
    "dotted: globals": named("river.utils.math", "minkowski_distance.__globals__"),
    "dotted: method": named("river.preprocessing.scale", "StandardScaler.learn_one"),
    "dotted: builtins": named("builtins", "str.format"),
    "dotted: subclasses": named("river.preprocessing.scale", "StandardScaler.__subclasses__"),
    "dotted: dunder class": named("collections", "OrderedDict.__class__"),
    # getattr, chained
    "getattr: class": call(GETATTR, make(SCALER), text("__class__")),
    "getattr: init": call(GETATTR, SCALER, text("__init__")),
    "getattr: globals": call(GETATTR, call(GETATTR, SCALER, text("__init__")), text("__globals__")),
    "getattr: subclasses": call(GETATTR, named("builtins", "str"), text("__subclasses__")),
    "getattr: another class's method": call(GETATTR, make(SCALER), text("_leveraging_bag")),
    "getattr: a bound method's function": call(
        GETATTR, call(GETATTR, make(BAGGING), text("_leveraging_bag")), text("__func__")
    ),
    "getattr: a default": call(GETATTR, make(BAGGING), text("_leveraging_bag"), b"N"),
    # partial, factories and other ways to hold a callable
    "partial of os.system": call(call(PARTIAL, named("os", "system"), TOUCH)),
    "partial, replaced by its state": state(
        call(PARTIAL, named("builtins", "int")),
        b"(" + named("os", "system") + b")}}t",
    ),
    "defaultdict of eval": call(named("collections", "defaultdict"), named("builtins", "eval")),
    "FuncTransformer of os.system": call(
        named("river.compose.func", "FuncTransformer"), named("os", "system")
    ),
    "Rolling of Popen": call(ROLLING, named("subprocess", "Popen"), TOUCH),
    "iter of a callable": call(named("builtins", "iter"), named("builtins", "int"), b"K\x01"),
    # BUILD: attributes and state of what is shared
    "BUILD: a method of a class": state(REGRESSION, slots(predict_one=named("builtins", "dict"))),
    "BUILD: a method of a class that is named again": (
        state(REGRESSION, slots(predict_one=named("builtins", "dict"))) + b"0" + REGRESSION
    ),
    "BUILD: a new attribute of a class": state(REGRESSION, slots(evil=b"N")),
    "BUILD: a class's name": state(REGRESSION, slots(__qualname__=text("os"))),
    "BUILD: a class's bases": state(
        SCALER, slots(__bases__=named("river.base.base", "Base") + b"\x85")
    ),
    "BUILD: a class's dict": state(REGRESSION, pairs(learn_one=b"N")),
    "BUILD: a function's defaults": state(
        named("copy", "deepcopy"), slots(__defaults__=b"N\x85")
    ),
    "BUILD: a function's dict": state(named("copy", "deepcopy"), pairs(evil=b"N")),
    "BUILD: a stand-in": state(GETATTR, slots(__defaults__=b"N\x85")),
    "BUILD: collections.Counter": state(
        named("collections", "Counter"), slots(update=named("builtins", "dict"))
    ),
    "BUILD: state of garbage in Rust": state(
        make(named("river._river_rust.drift", "AdaptiveWindowing"),
             b"G\x3f\x60\x62\x4d\xd2\xf1\xa9\xfc", b"K\x20", b"K\x05", b"K\x05", b"K\x0a"),
        b"C\x03abc",
    ),
    # numpy
    "numpy.load": call(named("numpy", "load"), text("x.npy")),
    "numpy.fromfile": call(named("numpy", "fromfile"), text("/etc/passwd")),
    "numpy.memmap": call(named("numpy", "memmap"), text("weir-was-here")),
    "numpy.save": call(named("numpy", "save"), text("weir-was-here"), b"N"),
    "numpy.f2py": named("numpy.f2py", "compile"),
    "numpy.testing": call(named("numpy.testing._private.utils", "runstring"), text("1"), b"}"),
    "numpy.ones": call(named("numpy", "ones"), HUGE),
    "numpy.ndarray, huge": call(named("numpy", "ndarray"), HUGE + b"\x85"),
    "numpy._reconstruct, huge": call(
        named("numpy._core.multiarray", "_reconstruct"),
        named("numpy", "ndarray"), HUGE + b"\x85", b"C\x01b",
    ),
    "numpy._reconstruct of another class": call(
        named("numpy._core.multiarray", "_reconstruct"), SCALER, b"K\x00\x85", b"C\x01b"
    ),
    "numpy.dtype: a structure": call(named("numpy", "dtype"), text("O,O")),
    "numpy.dtype: raw memory": call(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88"),
    "numpy.scalar of an object": call(
        named("numpy._core.multiarray", "scalar"),
        call(named("numpy", "dtype"), text("O8"), b"\x89", b"\x88"), b"C\x08" + b"A" * 8,
    ),
    "numpy array of objects from bytes": call(
        named("numpy._core.numeric", "_frombuffer"), b"C\x08" + b"A" * 8,
        call(named("numpy", "dtype"), text("O8"), b"\x89", b"\x88"), b"K\x01\x85", text("C"),
    ),
    "numpy SeedSequence, huge": call(
        named("numpy.random.bit_generator", "SeedSequence"), b"K\x00", b")", HUGE
    ),
    # Size and depth
    "bytearray, huge": call(named("builtins", "bytearray"), HUGE),
    "bytes, huge": call(named("builtins", "bytes"), HUGE),
    "list of a huge range": call(
        named("builtins", "list"), call(named("builtins", "range"), HUGE)
    ),
    "deque of a huge range": call(
        named("collections", "deque"), call(named("builtins", "range"), HUGE)
    ),
    "declared longer than it is": b"\x8e" + (10**15).to_bytes(8, "little") + b"abc",
    "bytearray declared longer than it is": b"\x96" + (10**15).to_bytes(8, "little"),
    "frame longer than it is": b"\x95" + (10**15).to_bytes(8, "little"),
    "memo, huge": b"Nr\xff\xff\xff\xff" + named("os", "system"),
    "nested, then a name": b"(" * 100_000 + b"l" * 100_000 + named("os", "system"),
    "endless number": b"\x8b" + (2**31 - 1).to_bytes(4, "little"),
    # The language itself
    "extension code 1": b"\x82\x01",
    "extension code 2": b"\x83\x01\x01",
    "extension code 4": b"\x84\x01\x01\x01\x01",
    "persistent id": b"Pweir\n",
    "persistent id, binary": text("weir") + b"Q",
    "out-of-band buffer": b"\x97",
    "INST": b"(" + text("touch weir-was-here") + b"ios\nsystem\n",
    "OBJ": b"(" + named("os", "system") + TOUCH + b"o",
    "GLOBAL": b"cos\nsystem\n" + TOUCH + b"\x85R",
    "GLOBAL, old name": b"c__builtin__\neval\n" + text("1") + b"\x85R",
    "NEWOBJ_EX": named("subprocess", "Popen") + b")}\x92",
    "name that is no text": b"K\x01K\x02\x93",
    "stack underflow": b"R",
    "memo that is not there": b"h\x07",
    "not a pickle opcode": b"\xff",
    "nothing": b"",
    "cut short": text("weir")[:-2],
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_a_crafted_pickle_has_no_effect(name, tmp_path, monkeypatch):
    """Each ends in the one named error; no file, module, variable or class is changed."""
    monkeypatch.chdir(tmp_path)
    before = shared_state()

    with pytest.raises(UnsafePickle) as refusal:
        loads(program(CORPUS[name]))

    assert shared_state() == before
    assert list(tmp_path.iterdir()) == []
    assert not {"antigravity", "this"} & sys.modules.keys()
    assert refusal.value.exit_code == 6
    assert "roll back" in str(refusal.value)


def shared_state() -> list[object]:
    river = [preprocessing.StandardScaler, linear_model.LogisticRegression, drift.ADWIN]
    shared = [*river, collections.Counter]
    functions = [copy.deepcopy, loads]
    return [
        dict(os.environ),
        [(kind.__qualname__, kind.__bases__, dict(vars(kind))) for kind in shared],
        [(f.__defaults__, f.__code__, dict(vars(f))) for f in functions],
    ]


def test_own_classes_load_only_if_the_reader_trusts_their_package(tmp_path, monkeypatch):
    """Trust comes from the reader's model file; what the module imported stays out."""
    (tmp_path / "weir_test_own.py").write_text(
        "import os\nfrom os import system\nclass Model:\n    class Part: pass\n"
        "def score(y): return y\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("weir_test_own")
    held = [own.Model(), own.Model.Part(), own.score]

    loaded = loads(pickle.dumps(held), trust=("weir_test_own",))

    assert [type(part) for part in loaded] == [own.Model, own.Model.Part, types.FunctionType]
    for trust in [(), ("weir_test",), ("weir_test_own.deeper",), ("",)]:
        with pytest.raises(UnsafePickle, match=r"weir_test_own\.Model"):
            loads(pickle.dumps(held), trust=trust)
    for name in ("system", "os", "os.system", "Model.__init__", "score.__globals__"):
        with pytest.raises(UnsafePickle):
            loads(program(named("weir_test_own", name)), trust=("weir_test_own",))


@pytest.mark.parametrize("data", [b"", b".", b"\x80", b"N.", b"(lp0\n.", b"\x80\x02N.", b"PK\x03"])
def test_what_is_no_pickle_of_ours_is_refused_unread(data):
    """Old protocols have opcodes we never write; ours starts with its header."""
    with pytest.raises(UnsafePickle, match="no pickle of protocol 4"):
        loads(data)


def test_registered_extension_codes_are_refused():
    """Such a code reaches its object from a cache, past the table."""
    copyreg.add_extension("os", "system", 7)
    try:
        with pytest.raises(UnsafePickle, match="extension codes"):
            loads(program(b"\x82\x07"))
    finally:
        copyreg.remove_extension("os", "system", 7)


def test_a_changed_byte_never_escapes_as_another_error():
    """Whatever a damaged pickle does, it loads or it is UnsafePickle."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    for x, y in itertools.islice(datasets.Phishing(), 50):
        model.learn_one(x, y)
    data = pickle.dumps(model, protocol=5)
    draws = random.Random(11)
    outcomes = collections.Counter()
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(3):
            damaged[draws.randrange(2, len(data))] = draws.randrange(256)
        try:
            loads(bytes(damaged))
            outcomes["loaded"] += 1
        except UnsafePickle:
            outcomes["refused"] += 1

    assert outcomes["refused"] > 500

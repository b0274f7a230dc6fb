"""Vowpal Wabbit's arguments: which of them a model may have, and what they say about it.

Admitted is what was tried to continue exactly after a save and a load, and to leave the model as
it is when it predicts. All else is refused: files, caches, passes and networks, reductions over
several lines, and those whose state VW does not save (`--bootstrap`, `--lrq`, dropout, `--active`,
`--stage_poly`, …).
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from config.text.nearest import did_you_mean
from learner.errors import SpecError

KEY = "learner.vw"
# 2^28 weights of 16 bytes are 4 GiB; beyond that a model cannot be kept in versions.
BITS_MAX = 28

_SHORT = {"b": "bit_precision", "C": "constant", "l": "learning_rate", "q": "quadratic"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FLAGS = _words("""
    adaptive adax baseline binary check_enabled coin compete confidence confidence_after_training
    freegrad ftrl global_only inpass invariant leave_duplicate_interactions no_bias_regularization
    no_progress noconstant node_only normal_weights normalized permutations pistol probabilities
    project random_weights restart scores sgd sort_features sparse_weights truncated_normal_weights
    unweighted_marginals update_before_learn
    holdout_off no_stdin per_model_save_load quiet save_resume
""")
_VALUED = _words("""
    affix alg bern_hyper bit_precision boosting classweight constant cubic decay ect error
    expectile_q feature_limit fepsilon flipschitz_const ftrl_alpha ftrl_beta gamma hash hash_seed
    ignore ignore_linear indexing initial_denominator initial_numerator initial_t initial_weight
    interact interactions keep l1 l2 learning_rate link log_multi logistic_max logistic_min
    loss_function lr_multiplier marginal max_candidates max_depth max_prediction min_prediction
    new_mf ngram nn oaa power_t quadratic quantile_tau radius random_seed recall_tree redefine skips
    sparse_l2 spelling swap_resistance
""")
_OPTIONS = _FLAGS | _VALUED
# Weir gives these itself, always: silence, and one state for each of a reduction's models, without
# which --oaa, --nn and their like continue differently after a load.
# The performance counters are part of the learner's state: plain and normalized updates learn at a
# rate that falls with the examples counted, those that it was only asked for included.
_OWN_FLAGS = (
    "quiet",
    "no_stdin",
    "driver_output_off",
    "per_model_save_load",
    "preserve_performance_counters",
)
_OWN = (*(f"--{flag}" for flag in _OWN_FLAGS), "--log_level=off", "--log_output=stderr")
# Why the best known of the others are refused.
_REFUSED = {
    "it is about files or the network": _words("""
        a audit c cache cache_file d data daemon dictionary dictionary_path f final_regressor
        feature_mask i initial_regressor input_feature_regularizer invert_hash k kill_cache
        p predictions port r raw_predictions readable_model sendto span_server
    """),
    "each event is learned once": _words("""
        bfgs conjugate_gradient early_terminate examples holdout_after holdout_period passes svrg
        t testonly
    """),
    "its examples take several lines, or labels that an event has not": _words("""
        cb cb_adf cb_explore cb_explore_adf ccb_explore_adf cbify csoaa csoaa_ldf cs_active
        multilabel_oaa plt search slates wap_ldf
    """),
    "it does not continue exactly from a version": _words("""
        OjaNewton active autolink bootstrap dropout emt ksvm lrq lrqfa memory_tree oaa_subsample
        rank replay_b replay_c replay_m stage_poly
    """),
}
_CLASSES_BY = ("oaa", "ect", "log_multi", "recall_tree")

Answer = Literal[
    "number",
    "sign",
    "logistic score",
    "probability",
    "class",
    "class scores",
    "class probabilities",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """A checked command line.

    Attributes:
        text: As the model file has it.
        options: Each option's values, by its long name; of flags none.
    """

    text: str
    options: Mapping[str, tuple[str, ...]]

    def command_line(self) -> list[str]:
        """What VW is started with: what was understood, and nothing that was not."""
        return [*self._given(), *_OWN]

    def value(self, name: str) -> str | None:
        """The value of an option that is given once, or None."""
        return next(iter(self.options.get(name, ())), None)

    @property
    def classes(self) -> range | None:
        """VW's own numbers for the classes; None unless this is a multiclass reduction."""
        for name in _CLASSES_BY:
            if name in self.options:
                first = 0 if self.value("indexing") == "0" else 1
                return range(first, first + _count(name, self.value(name)))
        return None

    def _given(self) -> Iterator[str]:
        for name, values in self.options.items():
            if name not in _OWN_FLAGS:
                yield from (f"--{name}={value}" for value in values) if values else [f"--{name}"]


def parse_arguments(text: str) -> Arguments:
    """Read and check a command line.

    Raises:
        SpecError: It cannot be read, or has an option that is not admitted.

    >>> parse_arguments("-q ab --l2 1e-6 --link=logistic").options["quadratic"]
    ('ab',)
    >>> parse_arguments("--passes 3")
    Traceback (most recent call last):
        ...
    learner.errors.SpecError: learner.vw: --passes is refused: each event is learned once
    """
    try:
        tokens = shlex.split(text)
    except ValueError as error:
        raise SpecError(KEY, f"cannot be read: {error}") from error
    options: dict[str, tuple[str, ...]] = {}
    rest = iter(tokens)
    for token in rest:
        name, value = _option(token)
        if name in _VALUED:
            options[name] = (*options.get(name, ()), _given_value(name, value, rest))
        elif value is not None:
            raise SpecError(KEY, f"--{name} takes no value")
        else:
            options[name] = ()
    arguments = Arguments(text=text, options=MappingProxyType(options))
    _check_values(arguments)
    return arguments


def _option(token: str) -> tuple[str, str | None]:
    """An option's long name and the value written onto it."""
    if token.startswith("--"):
        name, equals, value = token[2:].partition("=")
        given = value if equals else None
    elif re.match(r"-[A-Za-z]", token):
        name, given = _SHORT.get(token[1], token[1]), token[2:] or None
    else:
        raise SpecError(KEY, f"{token!r} belongs to no option")
    if name not in _OPTIONS:
        raise SpecError(KEY, _refusal(name))
    return name, given


def _refusal(name: str) -> str:
    option = f"-{name}" if len(name) == 1 else f"--{name}"
    for reason, names in _REFUSED.items():
        if name in names:
            return f"{option} is refused: {reason}"
    return f"{option} is not an option that Weir runs{did_you_mean(name, _OPTIONS)}"


def _given_value(name: str, value: str | None, rest: Iterator[str]) -> str:
    given = value if value is not None else next(rest, None)
    if given is None or (value is None and given.startswith("--")):
        raise SpecError(KEY, f"--{name} needs a value")
    return given


def _check_values(arguments: Arguments) -> None:
    bits = arguments.value("bit_precision")
    if bits is not None and not (bits.isdecimal() and 1 <= int(bits) <= BITS_MAX):
        raise SpecError(KEY, f"-b is 1 to {BITS_MAX} (4 GiB of weights), not {bits}")
    algorithm = arguments.value("alg")
    if algorithm not in {None, "BBM"}:
        raise SpecError(KEY, f"--alg {algorithm} does not continue exactly from a version; use BBM")
    if "probabilities" in arguments.options and arguments.value("loss_function") != "logistic":
        raise SpecError(KEY, "--probabilities needs --loss_function logistic")


def _count(name: str, value: str | None) -> int:
    if value is None or not value.isdecimal() or int(value) < 1:
        raise SpecError(KEY, f"--{name} needs a number of classes, not {value}")
    return int(value)

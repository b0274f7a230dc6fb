"""Hoeffding trees: by the rule that the leaf really used.

A leaf answers by what it counted (then each split on the way adds the change that it made), by
naive Bayes, or by a model of its own. River's usual leaf chooses between the first two by which of
them was right more often, so the way through the tree alone often explains another answer.

Source: `river.tree.nodes`, `prediction` of each leaf.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter
from typing import Any

from river.tree.hoeffding_tree import HoeffdingTree
from river.tree.nodes import branch as branches
from river.tree.nodes import htc_nodes, htr_nodes

from learner.explaining.exact.bayes import leaf_parts
from learner.explaining.exact.parts import AnswerParts, AnswerTarget

_Z = Mapping[str, Any]
# What River's trees and leaves have no public names for.
_root, _leaf_model = attrgetter("_root"), attrgetter("_leaf_model")
_right_by_bayes, _right_by_count = map(attrgetter, ("_nb_correct_weight", "_mc_correct_weight"))
_error_of_mean, _error_of_model = map(attrgetter, ("_fmse_mean", "_fmse_model"))
ExactParts = Callable[[Any, _Z, AnswerTarget], AnswerParts | None]


def tree_parts(
    tree: Any, z: _Z, target: AnswerTarget, exact_parts: ExactParts
) -> AnswerParts | None:
    """The parts of a Hoeffding tree's answer, with the way through it; None: it is no such tree.

    Args:
        exact_parts: Those of a model that answers in a leaf.
    """
    if not isinstance(tree, HoeffdingTree) or _root(tree) is None:
        return None
    nodes = list(_walk(_root(tree), z))
    leaf = nodes[-1]
    if _is_bayes(leaf, tree):  # of one class alone there are no odds, and each rule says 1
        found = leaf_parts(leaf, z, target) or _of_path(nodes, target)
    elif _is_model(leaf):
        found = exact_parts(_leaf_model(leaf), z, target)
    else:
        found = _of_path(nodes, target)
    path = tuple(_told(node, below, z) for node, below in pairwise(nodes))
    return None if found is None else replace(found, path=path)


def _walk(root: Any, z: _Z) -> Iterator[Any]:
    """The nodes from the root to the leaf; River's own walk names one twice where z lacks it."""
    last = None
    for node in root.walk(z, until_leaf=True) if hasattr(root, "walk") else [root]:
        if node is not last:
            yield node
        last = node


def _is_bayes(leaf: Any, tree: Any) -> bool:
    """Whether it answers by naive Bayes: River's rules."""
    kind = type(leaf)
    if issubclass(kind, htc_nodes.LeafNaiveBayesAdaptive):
        return bool(leaf.is_active() and _right_by_bayes(leaf) >= _right_by_count(leaf))
    if issubclass(kind, htc_nodes.LeafNaiveBayes):
        return bool(leaf.is_active() and leaf.total_weight >= tree.nb_threshold)
    return False


def _is_model(leaf: Any) -> bool:
    """Whether it answers by its own model: River's rules."""
    if isinstance(leaf, htr_nodes.LeafAdaptive):
        return not _error_of_mean(leaf) < _error_of_model(leaf)
    return isinstance(leaf, htr_nodes.LeafModel)


def _of_path(nodes: list[Any], target: AnswerTarget) -> AnswerParts | None:
    """What each split changed in what the node has counted."""
    if not all(hasattr(node, "stats") for node in nodes):
        return None
    values = [_counted(node.stats, target) for node in nodes]
    contributions: dict[str, float] = {}
    for node, (before, after) in zip(nodes, pairwise(values), strict=False):
        contributions[node.feature] = contributions.get(node.feature, 0.0) + after - before
    return AnswerParts(values[0], contributions, "value" if target.label is None else "probability")


def _counted(stats: Any, target: AnswerTarget) -> float:
    if target.label is None:
        return float(stats.mean.get())
    total = sum(stats.values())
    return stats.get(target.label, 0.0) / total if total else 0.0


def _told(node: Any, below: Any, z: _Z) -> dict[str, Any]:
    """One split of the way, and which side it was."""
    side = node.children.index(below)
    told = {"feature": node.feature, "value": z.get(node.feature), "events": below.total_weight}
    if isinstance(node, branches.NumericBinaryBranch):
        return {**told, "is": "<=" if side == 0 else ">", "than": node.threshold}
    if isinstance(node, branches.NominalBinaryBranch):
        return {**told, "is": "=" if side == 0 else "!=", "than": node.value}
    return {**told, "is": "in", "than": node.repr_branch(side, shorten=True)}

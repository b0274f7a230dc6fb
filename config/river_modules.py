"""River's modules, by what a model may have of them.

What a model file can name is read here by the learner, and what a version may be loaded of by the
table that guards it: neither knows the other.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Those whose components a model file names: estimators, and what they are made of.
NAMED = _words("""
    anomaly bandit compose conf drift drift.binary dummy ensemble facto feature_extraction
    feature_selection forest imblearn linear_model metrics model_selection multiclass naive_bayes
    neighbors optim optim.initializers optim.losses optim.schedulers preprocessing proba rules stats
    tree tree.splitter utils
""")
# Those that have components too, but none that learns or answers for a model; it may hold them.
HELD = _words("active cluster covariance misc multioutput reco sketch time_series")
# What components derive from and compute with: no model file has a name in them.
UNNAMED = _words("base _river_rust.drift _river_rust.stats _river_rust.vectordict")
# Those that open files or sockets, or run things: nothing of them belongs in a model.
OUTSIDE = _words("bandit.datasets bandit.envs checks datasets evaluate stream")

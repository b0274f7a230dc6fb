"""River has SciPy when it uses it, and not before; its answers are the same."""

import json
import random
import subprocess
import sys
from typing import Any

import numpy as np
from scipy import integrate

USES_NONE = """
import json, sys
import learner
from river import compose, drift, ensemble, forest, linear_model, metrics, preprocessing, tree
from river.datasets import Phishing

model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
trees, detector = tree.HoeffdingTreeClassifier(), drift.ADWIN()
score = metrics.LogLoss() + metrics.ROCAUC()
for x, y in Phishing().take(50):
    score.update(y, model.predict_proba_one(x))
    score.get()
    model.learn_one(x, y)
    trees.learn_one(x, y)
    detector.update(x["is_popular"])
print(json.dumps([name for name in sys.modules if name.startswith("scipy.linalg")]))
"""
# All that River takes of it but for frames and files.
USES_ALL = """
import json
%s
import math
from river import bandit, drift, feature_extraction, linear_model, metrics, naive_bayes, optim
from river import preprocessing, proba, tree
from river.datasets import Phishing

pairs = [(x, y) for x, y in Phishing().take(120)]
area, bayes, gradient = metrics.ROCAUC(), naive_bayes.GaussianNB(), tree.SGTClassifier()
several, counts = naive_bayes.MultinomialNB(), linear_model.AdPredictor()
found, shift = [], drift.KSWIN(window_size=40, stat_size=15, seed=3)
normal = proba.MultivariateGaussian(seed=5)
for number, (x, y) in enumerate(pairs):
    area.update(y, counts.predict_proba_one({"a": 1}) if number %% 2 else {True: number / 120})
    for model in (bayes, gradient, several):
        found.append(sorted(map(repr, model.predict_proba_one(x).items())))
        model.learn_one(x, y)
    shift.update(number / 120)
    found.append(shift.drift_detected)
    normal.update({"a": number %% 7, "b": number %% 5})
found += [repr(area.get()), repr(normal({"a": 1.0, "b": 2.0})), repr(proba.Beta(2, 3).cdf(0.4))]
found.append(repr(metrics.GeometricMean()))
print(json.dumps(found))
"""


def printed(text: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_uses_none_loads_none() -> None:
    assert printed(USES_NONE) == []


def test_what_uses_it_answers_as_rivers_own() -> None:
    assert printed(USES_ALL % "import learner") == printed(USES_ALL % "")


def test_the_area_under_a_curve_is_numpys_to_the_last_bit() -> None:
    source = random.Random(11)
    for points in range(2, 60):
        x = sorted((source.random() for _ in range(points)), reverse=True)
        y = sorted((source.choice([0, 0.0, 1, source.random()]) for _ in x), reverse=True)
        assert repr(integrate.trapezoid(x=x, y=y)) == repr(np.trapezoid(x=x, y=y))


def test_others_have_scipys_own() -> None:
    """A part that is there already stays; one that is not is had by whoever asks."""
    mixed = """
import json
import scipy.stats
import learner
from scipy.special import expit
from river import metrics
import scipy.ndimage
print(json.dumps([type(scipy.stats).__name__, type(expit).__name__, scipy.ndimage.shift.__name__]))
"""
    assert printed(mixed) == ["module", "ufunc", "shift"]

"""Why a model answers as it does: contributions of the features, and what each is worth over time.

`explain.py` puts an explanation together: `exact/` takes answers apart, and checks that the parts
make them; `sampled.py` finds out by asking, against rows of `background.py`; `with_shap.py` has the
library shap ask. `importance.py` measures while learning. Begin with `explain.py`.
"""

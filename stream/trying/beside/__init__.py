"""What a row is measured by: the first row, predictors that read no feature, a version.

`pairs.py` compares two models event by event; `baselines.py` has the baselines on the way;
`verdicts.py` says which rows beat them; `ranks.py` says which row is the best; `version.py`
compares a row with the version that learned the same records. Begin with `pairs.py`.
"""

"""What a row is measured by: the first row, and predictors that read no feature.

`pairs.py` compares two models event by event; `baselines.py` has the baselines' scores on the way;
`verdicts.py` says which rows beat them. Begin with
`pairs.py`.
"""

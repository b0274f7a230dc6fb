"""Drift: detectors that are fed the learner's errors, and what they found.

`detectors.py` knows River's detectors by name, `monitor.py` feeds them, `log.py` keeps the last
detections. Begin with `monitor.py`.
"""

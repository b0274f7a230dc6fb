"""The ground that all rooms stand on: settings, the model file, log lines, child processes, traces.

`settings.py` is what a process is told, `model_file.py` what a model is; both are frozen and tell
all mistakes at once. Imports nothing of ours. Begin with `model_file.py`.
"""

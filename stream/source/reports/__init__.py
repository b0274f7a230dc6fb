"""What a source tells of itself: metrics, heartbeats, and lines of the log that say what to do.

May import `stream` and what that may. Nothing here decides what is learned. Begin with
`metrics.py`; `heartbeat.py` is what other processes see. The logs say in one line now and then
what would be said for each event.
"""

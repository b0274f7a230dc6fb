"""The servers that `weir dev` starts, and the supervisor."""

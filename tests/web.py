"""HTTP as tests ask it.

`httpx.get` makes a client for each question, and a client reads all the certificates of the world:
35 ms of CPU, where the question takes three. This one asks loopback alone, and keeps no connection
that a server's next life would know nothing of.
"""

import httpx

_client = httpx.Client(
    verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
)
get, post = _client.get, _client.post

"""`weir try`: model files on a file or a topic, side by side, as the live service would learn them.

    file, river:NAME  ─► sources.py       ─┐
    Kafka, up to vN   ─► kafka_source.py ─┴─► side_by_side.py ─► rows.py ─► table, CSV, JSON, plot

Decoder, gate, trainer and scores are those of `weir learn`: what is tried is what will run. Servers
are asked for with `--kafka` alone. `search/` is `weir search`, which tries what an experiment file
asks for. Begin with `trial.py`, then `side_by_side.py`.
"""

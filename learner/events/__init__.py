"""Events: from the bytes that a client or a producer sent to an `Event`, or to a `Refusal`.

Both doors decode with `decode.decoder`, so that what HTTP answers with 202 is an event to the
learner, too. `why_malformed` says what is wrong with the rest, and where. No driver is imported
here. Begin reading with `decode`.
"""

"""The API: reads the projections, and turns commands into events.

Nobody gets further than `door` without a token or a session, from another Origin, or under another Host; refusals are
events (`decklog.runtime.denials`). Reads are one SQL statement and one answer (`statements`, `answering`). Commands
(`commands`) are validated against the fleet as `fleet` follows it and answered 202 with the event's id and coordinates
once Kafka has acknowledged it: nothing is half done. Every error is RFC 9457 and says what happened, where, and what to
do next (`problems`).
"""

"""The page: applications with sync status, health and failures, the live timeline, and one page per application.

Rendered on the server (`templates`); one small script (`static/decklog.js`) keeps it live over the API's stream. No
inline script, no build chain, nothing from elsewhere. `routes` reads through the API's own statements.
"""

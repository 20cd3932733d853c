"""No cookies: what a server of other people sets would be kept for ever, and sent back with every request."""

from http import cookiejar


def none() -> cookiejar.CookieJar:
    """What every HTTP client of ours is made with: a jar that takes no cookie of anybody, and so gives none out."""
    return cookiejar.CookieJar(cookiejar.DefaultCookiePolicy(allowed_domains=()))

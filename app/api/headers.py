"""What every answer tells browsers, the refusals of the server included."""

# Of the pages: scripts, styles and calls of this service alone; pictures also of their own making.
# No frame of another page may hold one, or its clicks could be stolen.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def protective_headers(request_id: str) -> list[tuple[bytes, bytes]]:
    """Return what an answer carries unless its route says otherwise."""
    return [
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
        (b"referrer-policy", b"no-referrer"),
        # A shared cache does not know X-API-Key.
        (b"cache-control", b"no-store"),
    ]

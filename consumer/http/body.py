"""Bodies: read as they come, and no further than they may."""

from http import HTTPStatus

from fastapi import HTTPException, Request

JSON = "application/json"


async def read(request: Request, *, bytes_max: int) -> bytes:
    """The body of *request*.

    Raises:
        HTTPException: It is not JSON by its own account (415), or larger than *bytes_max* (413).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {bytes_max} bytes")
    return bytes(body)

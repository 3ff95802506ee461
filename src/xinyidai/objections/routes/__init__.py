"""The doors of objections and repairs."""

from litestar import Router

from xinyidai.objections.routes import objecting, repairing

router = Router(path="/", route_handlers=[*objecting.HANDLERS, *repairing.HANDLERS], tags=["objections"])

"""The methods of one gRPC service: each name of the service's descriptor has a handler or an honest refusal.

Registration goes by the descriptor and not by generated servicer classes: a method that CRI adds cannot be forgotten,
and the generated gRPC module with its 43 client classes stays out of the daemon's memory.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from cri.grpc_errors import status_for
from cri.grpc_interceptor import NOBODY, CallObserver, StatusOf, wrap_stream, wrap_unary
from runtime.errors import Unimplemented

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

Handler: TypeAlias = "grpc.RpcMethodHandler[Message, Message]"


class MethodTable:
    """Collects the handlers of one service."""

    def __init__(self, service: ServiceDescriptor, observer: CallObserver = NOBODY) -> None:
        self._service = service
        self._observer = observer
        self._handlers: dict[str, Handler] = {}

    def unary(
        self,
        name: str,
        handler: Callable[[Request], Awaitable[Response]],
        *,
        status_of: StatusOf = status_for,
    ) -> None:
        """Answer method `name` by `handler`.

        Raises:
            ValueError: the service has no such method, or it streams.
        """
        method = self._method(name, streams=False)
        self._handlers[name] = grpc.unary_unary_rpc_method_handler(
            wrap_unary(name, handler, status_of=status_of, observer=self._observer),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )

    def stream(
        self, name: str, handler: Callable[[Request], AsyncGenerator[Response, None]]
    ) -> None:
        """Answer method `name` by each message of `handler`.

        Raises:
            ValueError: the service has no such method, or it does not stream.
        """
        method = self._method(name, streams=True)
        self._handlers[name] = grpc.unary_stream_rpc_method_handler(
            wrap_stream(name, handler, observer=self._observer),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )

    def missing(self) -> tuple[str, ...]:
        """Return the names of the service's methods that no handler answers, in their order."""
        return tuple(m.name for m in self._service.methods if m.name not in self._handlers)

    def registration(self) -> "grpc.GenericRpcHandler[Message, Message]":
        """Return all methods for a server; those without handler answer UNIMPLEMENTED and say so."""
        for name in self.missing():
            if self._service.methods_by_name[name].server_streaming:
                self.stream(name, partial(_refuse_stream, name))
            else:
                self.unary(name, partial(_refuse, name))
        return grpc.method_handlers_generic_handler(self._service.full_name, self._handlers)

    def _method(self, name: str, *, streams: bool) -> MethodDescriptor:
        method = self._service.methods_by_name.get(name)
        if method is None or bool(method.server_streaming) is not streams:
            kind = "streaming" if streams else "unary"
            raise ValueError(f"{self._service.name} has no {kind} method {name}")
        return method


async def _refuse(name: str, request: Message) -> Message:
    raise _unavailable(name)


async def _refuse_stream(name: str, request: Message) -> AsyncGenerator[Message, None]:
    if name:
        raise _unavailable(name)
    yield request  # never reached: makes this an async generator


def _unavailable(name: str) -> Unimplemented:
    cause = f"{name} is not available in this version of Lading"
    return Unimplemented("cri", cause, reason="MethodMissing")

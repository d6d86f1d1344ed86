"""A gRPC service as grpcio serves it, with server reflection. Prints its port, and serves until its input ends."""

import sys
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

sys.path.insert(0, str(Path(__file__).parent))
messages, services = grpc.protos_and_services("bookshop.proto")


class Books(services.BooksServicer):
    def GetBook(self, request, context):
        if request.id == "absent":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such book")
        if request.id == "":
            detail = any_pb2.Any()
            violation = error_details_pb2.BadRequest.FieldViolation(field="id", description="is empty")
            detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
            status = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="an id is needed", details=[detail])
            context.abort_with_status(rpc_status.to_status(status))
        book = messages.Book(id=request.id, title="Sylvie and Bruno", copies=2**53 + 1, authors=["Carroll"])
        book.price.cents = 1250
        book.price.currency = "EUR"
        book.binding = messages.Binding.Value("BINDING_PAPERBACK")
        book.stock["Kiel"] = 3
        book.published.FromJsonString("1889-12-12T00:00:00Z")
        return book

    def WatchBooks(self, request, context):
        for number in range(1, request.count + 1):
            yield messages.Book(id=str(number), title=f"Volume {number}")

    def Echo(self, request, context):
        metadata = dict(context.invocation_metadata())
        return messages.EchoReply(
            tenant=metadata.get("x-tenant", ""),
            authorization=metadata.get("authorization", ""),
            seconds_left=context.time_remaining() or 0,
        )


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
services.add_BooksServicer_to_server(Books(), server)
names = [messages.DESCRIPTOR.services_by_name["Books"].full_name, reflection.SERVICE_NAME]
reflection.enable_server_reflection(names, server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(grace=None)

"""Tests of the RuntimeService over a real gRPC server, on a node of fakes."""

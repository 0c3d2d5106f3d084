"""Tests of the ImageService over a real gRPC server, on a store of fakes."""

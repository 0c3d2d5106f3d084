"""Tests of whole pulls: real workers, a real store, and the registry in this process."""

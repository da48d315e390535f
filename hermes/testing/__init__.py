"""Fakes and a fault injector, for our tests and for those of platform and agent authors."""

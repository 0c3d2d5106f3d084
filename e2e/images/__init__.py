"""Makes every container image the tests use, from programs that are on this machine.

Words: an *entry* is one member of a layer's tar; a *layer* is a compressed tar; a *platform
image* is config + layers + manifest; a *published image* is a manifest list with a decoy first,
as users meet it. Equal inputs give equal bytes. Nothing here talks to a network except `push`,
and that only to the registry it is given.
"""

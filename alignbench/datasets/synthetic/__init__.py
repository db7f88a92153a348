"""Procedural faces with exact landmarks: a 3D head, a camera, light, occluders, a bad lens.

The way of a face, each step a module: ``parameters`` (who, seen how), ``head`` (surface and
landmarks), ``camera``, ``raster`` (triangles to pixels), ``skin`` and ``scene`` (what is painted
and lit), ``occluders``, ``lens``, ``attributes``, ``face`` (all of it), ``write`` (WFLW's layout
on disk), ``source`` (the data set).

Coordinates of the head: half a face's width is about 1; x to the image's right, y down, z towards
the viewer; the eyes lie at y = 0.

Everything that touches a pixel is written in operations that round the same way on every
processor (sums, products, quotients, roots, OpenCV's integer arithmetic), so that a face is the
same bytes everywhere.
"""

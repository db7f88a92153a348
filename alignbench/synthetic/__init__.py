"""Procedural faces with exact landmarks: a 3D head, a camera, light, occluders, a bad lens.

The way of a face, each step a module: ``parameters`` (who, seen how), ``head`` (surface and
landmarks), ``camera`` (also its blur and noise), ``raster`` (triangles to pixels), ``skin`` and
``scene`` (what is painted and lit), ``occluders``, ``face`` (all of it, with its attributes),
``write`` (WFLW's layout on disk), ``source`` (the data set).

Coordinates of the head: half a face's width is about 1; x to the image's right, y down, z towards
the viewer; the eyes lie at y = 0.

What touches pixels is written in operations that round the same way whatever instructions a
processor has (sums, products, quotients, roots, OpenCV's integer arithmetic), and where a landmark
or a colour comes from a power or a wave it is rounded far above such differences: with the same
versions of NumPy and OpenCV a face is the same bytes.
"""

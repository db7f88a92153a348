"""Procedural faces with exact landmarks: a 3D head, a camera, light, occluders, a bad lens.

A face is made in steps, each in its own module: ``parameters`` (the person, the view and the
light), ``head`` (surface and landmarks), ``camera`` (also its blur and noise), ``raster``
(triangles to pixels), ``skin`` and ``scene`` (what is painted and lit), ``occluders``, ``face``
(all of it, with its attributes), ``write`` (WFLW's layout on disk), ``source`` (the data set).

Coordinates of the head: half a face's width is about 1; x to the image's right, y down, z towards
the viewer; the eyes lie at y = 0.

Code that touches pixels uses only operations that round in the same way whatever instructions a
processor has: sums, products, quotients, roots and OpenCV's integer arithmetic. A landmark or a
colour that comes from a power, a sine or a cosine is rounded so far that such differences are lost.
With the same versions of NumPy and OpenCV a face therefore has the same bytes.
"""

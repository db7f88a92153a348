"""PropNet, LAB and AWing as torch modules.

Feature maps are (B, C, H, W) and images (B, 3, 256, 256), or (B, 1, 256, 256) for LAB; heatmaps
are a quarter of the image's side. Coordinates are 0-based pixel centres.
"""

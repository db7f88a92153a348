"""LAB (Wu et al., CVPR 2018): boundary heatmaps first, then landmarks."""

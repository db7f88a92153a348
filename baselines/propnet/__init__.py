"""PropNet (Huang et al., CVPR 2020): landmarks propagate to boundary curves."""

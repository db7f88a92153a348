"""AWing (Wang et al., ICCV 2019): stacked hourglasses and the Adaptive Wing loss."""

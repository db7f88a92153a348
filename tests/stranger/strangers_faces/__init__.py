"""Everything that a package can bring to alignbench, in one small file each."""

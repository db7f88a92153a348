"""What is made out of runs: tables and figures. Plugs into alignbench through entry points."""

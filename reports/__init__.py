"""Tables, figures and pages of runs. It plugs into alignbench through entry points."""

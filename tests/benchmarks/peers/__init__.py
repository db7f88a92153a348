"""Our functions beside those of packages others publish: a module for each subject."""

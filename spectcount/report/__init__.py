"""Evidence that leaves the program: bundles, figures, data sets, and a report for a reviewer."""

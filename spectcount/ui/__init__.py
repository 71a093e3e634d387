"""The page: five places in the order of the work, one file per tab."""

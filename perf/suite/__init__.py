"""The performance suite: which runs are made, in which order, and what is reported. Start at __main__.py."""

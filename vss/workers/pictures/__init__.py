"""The steps that look at pictures: detect, classify, and tasks of the user's own."""

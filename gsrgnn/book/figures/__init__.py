"""Every figure of the book, by what it is about."""

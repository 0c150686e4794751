"""The book: makes pages of records, figures and the paper's examples.

It measures nothing: a number on a page comes from code that the page runs, from a record or, the paper's own, from
`data`. It needs the extra `book`.
"""

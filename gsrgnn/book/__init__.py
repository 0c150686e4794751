"""The book: makes pages of records, figures and the paper's examples."""

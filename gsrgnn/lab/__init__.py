"""The lab: measures time, memory and what models learn, and keeps each result as a record.

It uses the library and changes nothing in it; it draws nothing. What runs notebooks (`sweep`, `notebooks`, `execution`,
`parameters`) needs the extra `book`, the rest does not.
"""

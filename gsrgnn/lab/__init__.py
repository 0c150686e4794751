"""The lab: measures time, memory and what models learn, and keeps each result as a record."""

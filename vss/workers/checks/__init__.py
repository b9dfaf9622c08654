"""Looks at a fleet from outside: the audit of one outcome a record, and the doctor."""

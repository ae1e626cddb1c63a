"""Writes what is derived from ``include/rally.h``: the header is the only place where the C interface is declared."""

"""The C interface (``include/rally.h``) as ctypes sees it.

Written by `make generate` from include/rally.h: change the header, not this file.
"""

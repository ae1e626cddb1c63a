"""A rater inside the frameworks that spread work over processes and machines.

Each module needs the package that it is named after and is imported by itself: ``rally.adapters.ray``, ``datasets``,
``datatrove``, ``spark``, ``nemo``. What they have in common stands in `rally.adapters.rating` and
`rally.adapters.tables`.
"""

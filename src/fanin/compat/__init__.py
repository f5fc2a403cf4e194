"""Other systems' own interfaces: one module a system, with its names, signatures, defaults and return values.

Each module is imported by itself (`import fanin.compat.torch as init`) and draws with fanin's schemes.
"""

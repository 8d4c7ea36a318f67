"""Random tensor programs, run on lampion and on PyTorch, which must agree.

A program is a list of statements in plain Python over one namespace in which `torch` is the library
under test. The rooms, in the order the data passes:

    choices.py     where random decisions come from: a seed, or hypothesis (which can shrink them)
    templates.py   the table of statements: one line of text is one kind of statement
    slots*.py      how each blank of a template is filled, looking at the tensors alive so far
    filling.py     a template being filled: the tensors and constants to choose from
    grow.py        writes a program statement by statement, trying each on PyTorch
    program.py     Statement and Program; printing a program as a script
    guards.py      statements whose result PyTorch itself leaves undefined
    execute.py     runs a program and records what happened
    observe.py     turns tensors into plain data
    compare.py     the first difference between two recordings, with tolerances
    check.py       one program on both libraries
    accepted.py    where lampion differs on purpose, each with its reason
    minimise.py    deletes statements while the failure stays
    wrong.py       PyTorch made wrong on purpose: the machinery must notice
    __main__.py    many programs at once: python -m tests.programs --count 100000 --jobs 2
"""

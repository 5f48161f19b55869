"""The short form of `make mutants`: which faults are put into code, and whether a function's users get them."""

import ast
from types import ModuleType

import mutants

SOURCE = """\
def pay(hours, rate=10, most=60):
    if hours <= 0:
        return 0
    return min(hours * rate, most)
"""
FAULTS = {
    "hours <= 0 -> hours < 0",
    "hours <= 0 -> hours > 0",
    "hours <= 0 -> hours <= 1",
    "0 -> 1",
    "min(hours * rate, most) -> max(hours * rate, most)",
    "hours * rate -> hours / rate",
    "hours, rate=10, most=60 -> hours, rate=11, most=60",
    "hours, rate=10, most=60 -> hours, rate=10, most=61",
}


def fails(pay):
    return [pay(0), pay(1), pay(2), pay(9)] != [0, 10, 20, 60]


def test_each_fault_reaches_who_has_imported_the_function_and_only_what_changes_nothing_lives():
    module = ModuleType("wages")
    module.__file__ = "wages.py"
    exec(SOURCE, vars(module))
    pay = module.pay
    assert not fails(pay)
    made = list(mutants.mutants(SOURCE))
    assert {shown for _, shown, _ in made} == FAULTS
    living = set()
    for _, shown, tree in made:
        mutants.become(module, tree)
        if not fails(pay):
            living.add(shown)
        mutants.become(module, ast.parse(SOURCE))
        assert not fails(pay)
    assert living == {"hours <= 0 -> hours < 0"}  # at 0 the product is 0, too

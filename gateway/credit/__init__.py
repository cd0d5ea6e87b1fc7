"""
Credit: what accepted tasks are worth, where AI did new work on them (design section 7).

credit = the sum over roots of v * O * phi(x): v is what a root is worth, O how much of it was
accepted, x how much new was asked under it. All of it is folded from leaves alone, whatever their
order, so anyone who has a log can work it out again and come to the same bytes.
"""

from gateway.credit.acceptance import Reason, judged
from gateway.credit.fold import CREDITABLE, Credit, OpenCall, opened, recompute
from gateway.credit.keeping import Keeping
from gateway.credit.roots import Folded, Root, pack, unpack
from gateway.credit.saturation import phi
from gateway.credit.sketch import new_units
from gateway.credit.statement import RootCredit, Statement, statement

__all__ = [
    "CREDITABLE",
    "Credit",
    "Folded",
    "Keeping",
    "OpenCall",
    "Reason",
    "Root",
    "RootCredit",
    "Statement",
    "judged",
    "new_units",
    "opened",
    "pack",
    "phi",
    "recompute",
    "statement",
    "unpack",
]

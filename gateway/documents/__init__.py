"""
YAML documents, read strictly, with the place of every value.

Shared by policies, goodgate.yaml and catalogues, so that every mistake in any of
them names its file:line:col, and all of them are told at once.
"""

from gateway.documents.fields import Fields
from gateway.documents.nodes import Node
from gateway.documents.problems import Problems, nearest
from gateway.documents.strict import parse

__all__ = ["Fields", "Node", "Problems", "nearest", "parse"]

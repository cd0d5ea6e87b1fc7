"""
What a call is for: who names a task, whether it is one, and how well that is known.

`read_claims` gathers what a call says, `choose` takes the strongest, `link` grades it
against the catalogue; `read_catalogue` reads the catalogue an admin imports.
"""

from gateway.tasks.catalogue import read_catalogue
from gateway.tasks.claims import Claims, choose, read_claims
from gateway.tasks.credential import TaskCredentials
from gateway.tasks.directory import Directory, Person
from gateway.tasks.following import Known, closed_anew, followed
from gateway.tasks.identifier import canonical
from gateway.tasks.linkage import is_member, link
from gateway.tasks.naming import Named, named, subject_of
from gateway.tasks.snapshot import CatalogueDigest

__all__ = [
    "CatalogueDigest",
    "Claims",
    "Directory",
    "Known",
    "Named",
    "Person",
    "TaskCredentials",
    "canonical",
    "choose",
    "closed_anew",
    "followed",
    "is_member",
    "link",
    "named",
    "read_catalogue",
    "read_claims",
    "subject_of",
]

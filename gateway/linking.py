"""
Which task a call is for: what it names, what its session or key last named, what is known of it.

The catalogue and the pins are a port; what counts as naming, and what makes a link verified,
is for `tasks` to say.
"""

from gateway import ports, tasks
from gateway.values import Call, Principal, TaskLink


class Linking:
    """Links calls to tasks, and pins sessions to what they name."""

    def __init__(self, catalogue: ports.Tasks, credentials: tasks.TaskCredentials) -> None:
        self._catalogue = catalogue
        self._credentials = credentials

    async def link(
        self, call: Call, principal: Principal, task_credential: str, now: float
    ) -> TaskLink:
        """
        Return what a call is for, and how that is known.

        Raises:
            TaskConflict: it names two different tasks.

        """
        catalogue = self._catalogue
        claims = tasks.read_claims(
            call,
            key_id=principal.key_id,
            task_credential=task_credential,
            credentials=self._credentials,
            now=now,
        )
        pinned, active = await catalogue.recall(principal, claims.session, now)
        claim = tasks.choose(claims, pinned=pinned, active=active)
        if claim is None:
            return TaskLink()
        if claims.session and claims.explicit:
            await catalogue.pin(principal, claims.session, claim.text, now)
        task = await catalogue.find(tasks.canonical(claim.text))
        return tasks.link(claim, task, principal, now)

"""A key and a task to try the gateway with: `goodgate serve --demo`, behind `make run`."""

import os
import time
from typing import TYPE_CHECKING

from gateway import identity
from gateway.values import Task

if TYPE_CHECKING:
    from gateway.app import Application

PRINCIPAL = "demo"
TASK_ID = "DEMO-1"
KEY_FILE = "demo-key"

_GREETING = """\
  key   {key}
  task  {task}

  Paste this in another terminal:

    curl {url}/v1/chat/completions \\
      -H 'Authorization: Bearer {key}' -H 'X-Task-Id: {task}' \\
      -d '{{"model": "sim-small", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  Leave X-Task-Id out to see a call refused. Stop with Ctrl-C.
"""


def seed(application: "Application") -> str:
    """
    Add the demo key and task unless they are there, and return what to print.

    The key is kept in a 0600 file of the data folder, so that it stays the same from run
    to run. `{url}` in the text is for the caller to fill in.
    """
    now = time.time()
    task = Task(
        id=TASK_ID,
        spelling=TASK_ID,
        title="Try Goodgate",
        root_id=TASK_ID,
        members=frozenset({PRINCIPAL}),
        team="demo",
        opened_at=now,
    )
    if application.registry.tasks.get(TASK_ID) is None:
        application.registry.import_tasks([task], now=now)
    path = application.data / KEY_FILE
    if path.exists():
        text = path.read_text().strip()
    else:
        text, key = identity.mint(
            pepper=application.pepper,
            principal_id=PRINCIPAL,
            team="demo",
            role="developer",
            models=frozenset(),
            now=now,
        )
        application.registry.add_key(key)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  # 0600 from its first moment
            file.write(text + "\n")
    return _GREETING.format(url="{url}", key=text, task=TASK_ID)

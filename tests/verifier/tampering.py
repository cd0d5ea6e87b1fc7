"""
What anybody could do to a copy of a log, who has no key: change its files.
"""

import random
from collections.abc import Callable, Sequence

from tests.verifier import exports
from tests.verifier.edits import Undrawn, framed, other_log, other_value, upto
from tests.verifier.exports import Export, Files


def _file(pick: random.Random, files: Files) -> str:
    return pick.choice(sorted(files))


def _bundle(pick: random.Random, made: Export) -> tuple[str, list[bytes]]:
    """Return the path of a bundle and its entries."""
    path = pick.choice(sorted(each for each in made.files if each.startswith("tile/entries/")))
    first = int(path.split("/")[2][:3]) * 256
    return path, list(made.lines[first : first + 256])


def flip_bit(pick: random.Random, made: Export) -> Files:
    path = _file(pick, made.files)
    data = bytearray(made.files[path])
    data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
    return made.files | {path: bytes(data)}


def change_byte(pick: random.Random, made: Export) -> Files:
    path = _file(pick, made.files)
    data = bytearray(made.files[path])
    data[pick.randrange(len(data))] = pick.randrange(256)
    return made.files | {path: bytes(data)}


def insert_byte(pick: random.Random, made: Export) -> Files:
    path = _file(pick, made.files)
    data = bytearray(made.files[path])
    data.insert(pick.randrange(len(data) + 1), pick.choice([10, 32, pick.randrange(256)]))
    return made.files | {path: bytes(data)}


def delete_byte(pick: random.Random, made: Export) -> Files:
    path = _file(pick, made.files)
    data = bytearray(made.files[path])
    del data[pick.randrange(len(data))]
    return made.files | {path: bytes(data)}


def truncate_file(pick: random.Random, made: Export) -> Files:
    path = _file(pick, made.files)
    data = made.files[path]
    return made.files | {path: data[: pick.randrange(len(data))]}


def change_field(pick: random.Random, made: Export) -> Files:
    path, lines = _bundle(pick, made)
    at = pick.randrange(len(lines))
    lines[at] = other_value(pick, lines[at])
    return made.files | {path: framed(lines)}


def drop_leaf(pick: random.Random, made: Export) -> Files:
    path, lines = _bundle(pick, made)
    del lines[pick.randrange(len(lines))]
    return made.files | {path: framed(lines)}


def swap_leaves(pick: random.Random, made: Export) -> Files:
    path, lines = _bundle(pick, made)
    one, other = pick.randrange(len(lines)), pick.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return made.files | {path: framed(lines)}


def duplicate_leaf(pick: random.Random, made: Export) -> Files:
    path, lines = _bundle(pick, made)
    at = pick.randrange(len(lines))
    lines.insert(pick.randrange(len(lines) + 1), lines[at])
    return made.files | {path: framed(lines)}


def truncate_log(pick: random.Random, made: Export) -> Files:
    """Show the log as it was at an earlier checkpoint, with parts of today's."""
    earlier = exports.publish(upto(made, pick.choice(made.sizes[:-1])))
    of_today = pick.choice([["checkpoint"], ["checkpoints.jsonl"], ["manifest"]])
    return earlier.files | {path: made.files[path] for path in of_today}


def splice_logs(pick: random.Random, made: Export) -> Files:
    """Put files of another log, of the same key or of another, into this one."""
    other = other_log(pick)
    shared = sorted(made.files.keys() & other.files.keys())
    taken = pick.sample(shared, pick.randrange(1, len(shared)))
    files = made.files | {path: other.files[path] for path in taken}
    if files == other.files:
        raise Undrawn  # nothing but the other log is left
    return files


def old_checkpoint(pick: random.Random, made: Export) -> Files:
    size = pick.choice(made.sizes[:-1])
    return made.files | {"checkpoint": exports.note(made, size).encode()}


def change_checkpoints(pick: random.Random, made: Export) -> Files:
    lines = made.files["checkpoints.jsonl"].splitlines(keepends=True)
    one, other = pick.randrange(len(lines)), pick.randrange(len(lines))
    match pick.choice(["drop", "duplicate", "swap"]):
        case "drop":
            del lines[one]
        case "duplicate":
            lines.insert(other, lines[one])
        case _:
            lines[one], lines[other] = lines[other], lines[one]
    return made.files | {"checkpoints.jsonl": b"".join(lines)}


def swap_files(pick: random.Random, made: Export) -> Files:
    one, other = _file(pick, made.files), _file(pick, made.files)
    return made.files | {one: made.files[other], other: made.files[one]}


def delete_file(pick: random.Random, made: Export) -> Files:
    path = _file(pick, made.files)
    return {name: data for name, data in made.files.items() if name != path}


def add_file(pick: random.Random, made: Export) -> Files:
    path = pick.choice(
        ["notes.txt", "tile/0/999", "tile/entries/000.p/1", "tile/5/000", "policies/00.json", "a/b"]
    )
    return made.files | {path: pick.choice([b"", b"x", made.files["checkpoint"]])}


def change_policy(pick: random.Random, made: Export) -> Files:
    path = pick.choice(sorted(each for each in made.files if each.startswith("policies/")))
    return made.files | {path: made.files[path].replace(b"require-task", b"require-tasks")}


RAW: Sequence[Callable[[random.Random, Export], Files]] = (
    flip_bit,
    change_byte,
    insert_byte,
    delete_byte,
    truncate_file,
    change_field,
    drop_leaf,
    swap_leaves,
    duplicate_leaf,
    truncate_log,
    splice_logs,
    old_checkpoint,
    change_checkpoints,
    swap_files,
    delete_file,
    add_file,
    change_policy,
)

#!/usr/bin/env python3
"""A target for entrasync (type exec): accounts and groups in a SQLite file, which config names as file."""
import json, sqlite3, sys

class Refused(Exception):
    """An answer that is an error: a code of the protocol and a sentence."""

def hello(p):
    global db
    db = sqlite3.connect(p["config"]["file"], isolation_level=None)  # each statement is kept before it is answered
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE IF NOT EXISTS resource (id INTEGER PRIMARY KEY AUTOINCREMENT, kind, name, external, attributes, UNIQUE (kind, name))")
    db.execute("CREATE INDEX IF NOT EXISTS resource_external ON resource (kind, external)")
    db.execute("CREATE TABLE IF NOT EXISTS member (team, user, PRIMARY KEY (team, user)) WITHOUT ROWID")
    return {"protocol": 1, "name": "SQLite", "kinds": ["user", "group"], "abilities": ["members", "changeMembers"]}

def columns(kind, attributes):  # what is looked up, and the rest
    name = attributes.get("userName" if kind == "user" else "displayName") or ""
    return name.casefold(), attributes.get("externalId"), json.dumps(attributes)

def shown(rows):
    return [{"id": str(id), "attributes": json.loads(attributes)} for id, attributes in rows]

def row(kind, id):
    found = shown(db.execute("SELECT id, attributes FROM resource WHERE kind = ? AND id = ?", (kind, id)))
    if not found:
        raise Refused("target_missing", f"there is no {kind} {id}")
    return found[0]

def find(p):
    column = {"userName": "name", "displayName": "name", "externalId": "external"}.get(p["attribute"])
    if p["kind"] == "user" and p["attribute"] == "displayName" or not column:  # no column has it: look at each
        rows = shown(db.execute("SELECT id, attributes FROM resource WHERE kind = ?", (p["kind"],)))
        return {"resources": [r for r in rows if str(r["attributes"].get(p["attribute"], "")).casefold() == p["value"].casefold()]}
    value = p["value"].casefold() if column == "name" else p["value"]
    return {"resources": shown(db.execute(f"SELECT id, attributes FROM resource WHERE kind = ? AND {column} = ?", (p["kind"], value)))}

def page(p):
    rows = shown(db.execute("SELECT id, attributes FROM resource WHERE kind = ? AND id > ? ORDER BY id LIMIT ?", (p["kind"], int(p.get("cursor") or 0), p["limit"])))
    return {"resources": rows, "next": rows[-1]["id"] if len(rows) == p["limit"] else ""}

def create(p):
    id = db.execute("INSERT INTO resource (kind, name, external, attributes) VALUES (?, ?, ?, ?)", (p["kind"], *columns(p["kind"], p["attributes"]))).lastrowid
    return {"resource": {"id": str(id), "attributes": p["attributes"]}}

def update(p):
    attributes = {**row(p["kind"], p["id"])["attributes"], **p["attributes"]}
    attributes = {path: value for path, value in attributes.items() if value is not None}
    db.execute("UPDATE resource SET name = ?, external = ?, attributes = ? WHERE id = ?", (*columns(p["kind"], attributes), p["id"]))
    return {"resource": {"id": p["id"], "attributes": attributes}}

def delete(p):
    db.execute("DELETE FROM member WHERE user = ? OR team = ?", (p["id"], p["id"]))
    db.execute("DELETE FROM resource WHERE kind = ? AND id = ?", (p["kind"], p["id"]))
    return {}

def change_members(p):
    row("group", p["group"])
    known = {id for id in p.get("add", []) if db.execute("SELECT 1 FROM resource WHERE kind = 'user' AND id = ?", (id,)).fetchone()}
    db.executemany("INSERT OR IGNORE INTO member VALUES (?, ?)", [(p["group"], id) for id in known])
    db.executemany("DELETE FROM member WHERE team = ? AND user = ?", [(p["group"], id) for id in p.get("remove", [])])
    return {"refused": [{"id": id, "message": "there is no such user"} for id in p.get("add", []) if id not in known]}

def members(p):
    rows = db.execute("SELECT user FROM member WHERE team = ? AND user > ? ORDER BY user LIMIT ?", (p["group"], p.get("cursor") or "", p["limit"])).fetchall()
    return {"members": [user for user, in rows], "next": rows[-1][0] if len(rows) == p["limit"] else ""}

METHODS = {"hello": hello, "probe": lambda p: {}, "find": find, "get": lambda p: {"resource": row(p["kind"], p["id"])}, "list": page, "create": create,
           "update": update, "delete": delete, "changeMembers": change_members, "members": members, "close": lambda p: {}}

for line in sys.stdin:  # the end of the input is the end of the program
    question = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": question["id"]}
    try:
        answer["result"] = METHODS[question["method"]](question["params"])
    except Refused as e:
        answer["error"] = {"code": 1, "message": e.args[1], "data": {"code": e.args[0]}}
    except sqlite3.IntegrityError:
        answer["error"] = {"code": 1, "message": "the name is taken", "data": {"code": "duplicate_target"}}
    except sqlite3.Error as e:
        answer["error"] = {"code": 1, "message": str(e), "data": {"code": "target_unavailable", "unsure": True}}
    print(json.dumps(answer), flush=True)

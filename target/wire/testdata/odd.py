"""A program that does wrong: the first argument says how, and the second when: at the message of that name."""
import json, os, signal, sys, time

how, when = sys.argv[1], sys.argv[2]
accounts, n = {}, 0

def say(text):
    print(text, flush=True)

for line in sys.stdin:
    q = json.loads(line)
    method, p = q["method"], q["params"]
    answer = {"jsonrpc": "2.0", "id": q["id"], "result": {}}
    if method == "hello":
        answer["result"] = {"protocol": 1, "kinds": ["user", "group"], "abilities": ["changeMembers", "members"]}
        if file := p.get("config", {}).get("file"):  # how often it was started
            with open(file, "a") as f:
                f.write("started\n")
    elif method == "create":
        n += 1
        answer["result"] = {"resource": {"id": str(n), "attributes": p["attributes"]}}
        accounts[str(n)] = p["attributes"]
    elif method == "get":
        answer["result"] = {"resource": {"id": p["id"], "attributes": accounts.get(p["id"], {})}}
    elif method == "find":
        answer["result"] = {"resources": [{"id": id, "attributes": a} for id, a in accounts.items() if a.get(p["attribute"]) == p["value"]]}
    elif method == "list":
        answer["result"] = {"resources": []}
    if method != when:
        say(json.dumps(answer))
        continue
    if how == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    elif how == "skip":  # this one is never answered, the others are
        continue
    elif how == "garbage":
        say("Traceback: the password is " + p.get("secrets", {}).get("password", "unknown"))
    elif how == "flood":
        while True:
            sys.stdout.write("x" * 65536)
    elif how == "die-once":
        with open(file) as f:
            if f.read().count("started") == 1:
                os._exit(3)
        say(json.dumps(answer))
    elif how == "die":
        print("could not reach the database", file=sys.stderr, flush=True)
        os._exit(3)
    elif how == "fork":  # the child of the child keeps the pipes open
        if os.fork() == 0:
            with open(os.environ["PIDFILE"] + ".new", "w") as f:
                f.write(str(os.getpid()))
            os.rename(os.environ["PIDFILE"] + ".new", os.environ["PIDFILE"])
            time.sleep(600)
        while not os.path.exists(os.environ["PIDFILE"]):
            time.sleep(0.01)
        os._exit(0)
    elif how == "another":  # the answer is about another account
        say(json.dumps({**answer, "result": {"resource": {"id": "boss", "attributes": {"userName": "boss@example.com"}}}}))
    elif how == "strangers":
        say(json.dumps({**answer, "result": {"resources": [{"id": "boss", "attributes": {"userName": "boss@example.com"}}]}}))
    elif how == "otherid":
        say(json.dumps({**answer, "id": 9999}))
    elif how == "noid":
        say(json.dumps({**answer, "id": None}))
    elif how == "nonsense":
        say(json.dumps({**answer, "result": {"resource": {"id": {"no": "text"}, "attributes": []}}}))
    elif how == "empty":
        say(json.dumps({"jsonrpc": "2.0", "id": q["id"]}))
    elif how == "circle":
        say(json.dumps({**answer, "result": {"resources": [{"id": "1", "attributes": {"userName": "a"}}], "next": "again"}}))
    elif how == "closed":
        os.close(1)
        time.sleep(600)
    elif how == "leak":
        secret = p.get("secrets", {}).get("password", "")
        for i in range(1000):
            print(f"line {i}: {secret} and {secret.encode().hex()}", file=sys.stderr, flush=True)
        say(json.dumps(answer))
    elif how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say(json.dumps(answer))
        time.sleep(600)
    elif how == "env":
        say(json.dumps({"jsonrpc": "2.0", "id": q["id"], "error": {"code": 1, "message": " ".join(sorted(os.environ))}}))
    elif how == "error":
        say(json.dumps({"jsonrpc": "2.0", "id": q["id"], "error": json.loads(sys.argv[3])}))

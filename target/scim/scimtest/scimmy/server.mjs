// Starts SCIMMY (https://github.com/scimmyjs) on a free loopback port. The protocol is SCIMMY's
// own; keeping records, uniqueness and the clean-up after a deleted user are ours, since SCIMMY
// leaves them to its user. Settings come as JSON in the first argument; the port goes to
// standard output as JSON. A line on standard input drops all records and connections and moves
// the server to another port. The process ends when standard input closes.
//
// Express stays at version 4: under 5 a request's query cannot be changed, so the routers' turning
// of startIndex and count into numbers has no effect, and every page is the first one.
import {randomUUID} from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const {token, extensions = [], sameGroupNames = false} = JSON.parse(process.argv[2]);

const {User, Group} = SCIMMY.Resources;
User.extend(SCIMMY.Schemas.EnterpriseUser.definition);
for (const {urn, resource, attributes} of extensions) {
    const definition = new SCIMMY.Types.SchemaDefinition(urn.split(":").at(-1), urn, "", attributes.map(
        ({name, type, multiValued}) => new SCIMMY.Types.Attribute(type, name, {multiValued})));
    (resource === "Group" ? Group : User).extend(definition);
}

const records = {User: new Map(), Group: new Map()};
const taken = (kind, attribute, id, value) => [...records[kind].values()].some(
    (r) => r.id !== id && r[attribute]?.toLowerCase() === value?.toLowerCase());

function keep(kind, unique) {
    const all = () => records[kind];
    const one = (id) => {
        if (!all().has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
        return all().get(id);
    };
    return {
        egress: (resource) => resource.id ? one(resource.id)
            : resource.filter ? resource.filter.match([...all().values()]) : [...all().values()],
        ingress: (resource, data) => {
            const before = resource.id ? one(resource.id) : undefined;
            const id = resource.id ?? randomUUID();
            if (unique && taken(kind, unique, id, data[unique]))
                throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} ${data[unique]} is in use`);
            const now = new Date().toISOString();
            const record = {...JSON.parse(JSON.stringify(data)), id,
                meta: {created: before?.meta.created ?? now, lastModified: now}};
            all().set(id, record);
            return record;
        },
        degress: (resource) => {
            one(resource.id);
            all().delete(resource.id);
            for (const group of records.Group.values())
                group.members = group.members?.filter((m) => m.value !== resource.id);
        },
    };
}

for (const [resource, handlers] of [
    [User, keep("User", "userName")],
    [Group, keep("Group", sameGroupNames ? undefined : "displayName")],
]) {
    SCIMMY.Resources.declare(resource).ingress(handlers.ingress).egress(handlers.egress).degress(handlers.degress);
}

const app = express();
app.use("/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("the token is not valid");
        return "client";
    },
}));
let listener;
function listen() {
    listener = app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({port: listener.address().port})));
}
listen();

function reset() {
    records.User = new Map();
    records.Group = new Map();
    listener.close();
    listener.closeAllConnections();
    listen();
}

process.stdin.on("data", reset).on("end", () => process.exit(0)).on("error", () => process.exit(0));

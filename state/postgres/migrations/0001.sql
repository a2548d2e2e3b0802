-- A tenant, or the registry (its id is ''). token is the fence: it rises with every owner, and a write that carries
-- an older one is refused. seq counts the commits.
CREATE TABLE tenant (
	no     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind   text NOT NULL,
	id     text NOT NULL UNIQUE,
	schema integer NOT NULL,
	token  bigint NOT NULL DEFAULT 0,
	holder text NOT NULL DEFAULT '',
	until  timestamptz NOT NULL DEFAULT '-infinity',
	seq    bigint NOT NULL DEFAULT 0
);

-- Paths are names with NUL between them, which text cannot hold.
CREATE TABLE bucket (
	no     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant integer NOT NULL REFERENCES tenant ON DELETE CASCADE,
	path   bytea NOT NULL,
	seq    bigint NOT NULL DEFAULT 0,
	UNIQUE (tenant, path)
);

-- Values are the bytes that a file has, without its checksums. They are not compressed: records are small, and those
-- that are large are compressed by who writes them.
CREATE TABLE kv (
	tenant integer NOT NULL,
	bucket bigint NOT NULL,
	key    bytea NOT NULL,
	value  bytea NOT NULL,
	PRIMARY KEY (tenant, bucket, key)
) PARTITION BY HASH (tenant);
ALTER TABLE kv ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE TABLE kv_0 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 0) WITH (fillfactor = 90);
CREATE TABLE kv_1 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 1) WITH (fillfactor = 90);
CREATE TABLE kv_2 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 2) WITH (fillfactor = 90);
CREATE TABLE kv_3 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 3) WITH (fillfactor = 90);
CREATE TABLE kv_4 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 4) WITH (fillfactor = 90);
CREATE TABLE kv_5 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 5) WITH (fillfactor = 90);
CREATE TABLE kv_6 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 6) WITH (fillfactor = 90);
CREATE TABLE kv_7 PARTITION OF kv FOR VALUES WITH (MODULUS 8, REMAINDER 7) WITH (fillfactor = 90);

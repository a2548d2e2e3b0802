-- The cycles that were begun last. One that has not ended, of a tenant that is not owned, was interrupted; its worker is
-- '' when that stopped in good order.
CREATE TABLE cycle (
	tenant integer NOT NULL REFERENCES tenant ON DELETE CASCADE,
	sync   text NOT NULL,
	kind   text NOT NULL,
	began  timestamptz NOT NULL,
	ended  timestamptz,
	holder text NOT NULL,
	PRIMARY KEY (tenant, sync, kind)
);
CREATE INDEX cycle_open ON cycle (tenant) WHERE ended IS NULL;

-- The workers that run, and the configuration that each has, by its hash.
CREATE TABLE worker (
	holder text PRIMARY KEY,
	hash   bytea NOT NULL,
	seen   timestamptz NOT NULL
);

-- The configuration that cycles run with: one row, none before the first worker.
CREATE TABLE config (
	one        boolean PRIMARY KEY DEFAULT true CHECK (one),
	generation bigint NOT NULL,
	hash       bytea NOT NULL,
	holder     text NOT NULL,
	activated  timestamptz NOT NULL
);

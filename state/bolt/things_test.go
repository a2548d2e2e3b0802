package bolt

import "entrasync/state/kv"

// things is a schema with one bucket.
var things = &kv.Schema{Kind: "fake", Buckets: []string{"things"}, Checksums: 1}

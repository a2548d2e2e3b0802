package wire

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"entrasync/target"
)

// key is the idempotency key of a write: equal at every repetition of the same change, also after a restart. A call
// that belongs to no operation, such as one of the conformance suite, is its own.
func key(ctx context.Context, method string, params any) string {
	operation, ok := target.OperationOf(ctx)
	if !ok {
		return "msg_" + rand.Text()
	}
	text, err := json.Marshal([]any{operation.Tenant, operation.Sync, operation.Source, operation.After, method, params})
	if err != nil {
		return "msg_" + rand.Text() // a value without a form in JSON: the call fails with it
	}
	sum := sha256.Sum256(text)
	return "msg_" + hex.EncodeToString(sum[:16])
}

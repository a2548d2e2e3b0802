package target

import "context"

// An Operation names the change that a call is part of, for applications that receive its name. It is equal at every
// repetition of the change, also by another process, and differs from that of a later change of the same content.
type Operation struct {
	Tenant string // id of the tenant
	Sync   string
	Source string // id of the user or group in the directory
	After  string // which change came before, in a form of the caller's own
}

type operationKey struct{}

// WithOperation returns a context whose calls belong to an operation. It is worked out only when an adapter asks.
func WithOperation(ctx context.Context, operation func() Operation) context.Context {
	return context.WithValue(ctx, operationKey{}, operation)
}

// OperationOf returns the operation that a call belongs to, false for a call that belongs to none.
func OperationOf(ctx context.Context) (Operation, bool) {
	operation, ok := ctx.Value(operationKey{}).(func() Operation)
	if !ok {
		return Operation{}, false
	}
	return operation(), true
}

package state

import "slices"

// bucketAuditExports holds key of an export → how far it has come, as who exports writes it.
const bucketAuditExports = "auditexports"

// ExportPosition returns how far an export of the audit logs has come, nil when it has not begun.
func (a ServiceAudit) ExportPosition(key string) (position []byte, err error) {
	err = a.registry.view(func(tx *Tx) error {
		position = slices.Clone(tx.kv.get([]byte(key), bucketAuditExports))
		return nil
	})
	return position, err
}

// PutExportPosition notes how far an export has come.
func (a ServiceAudit) PutExportPosition(key string, position []byte) error {
	return a.registry.update(func(tx *Tx) error { return tx.kv.put([]byte(key), position, bucketAuditExports) })
}

// Last returns the number of the last line, 0 when there is none.
func (a Audit) Last() uint64 { return a.head().seq }

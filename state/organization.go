package state

import "time"

// An Organization is what the tenant says of itself, as far as mappings use it.
type Organization struct {
	DefaultDomain string    `json:"default_domain"`
	Read          time.Time `json:"read"`
}

var organizationKey = []byte("organization")

// Organization returns what was last read of the tenant itself; ok is false before the first read.
func (tx *Tx) Organization() (o Organization, ok bool) {
	text := tx.kv.get(organizationKey, bucketOrganization)
	if text == nil {
		return Organization{}, false
	}
	return fromJSON[Organization]("organization", text), true
}

// PutOrganization stores what was read of the tenant itself.
func (tx *Tx) PutOrganization(o Organization) error {
	return tx.kv.putJSON(organizationKey, o, bucketOrganization)
}

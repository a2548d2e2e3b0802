package state

// ChangeTenantRecord changes the record of a tenant in one step; a tenant without one begins
// with its name alone. What is left as it was costs no write, and an error of change leaves it so.
func (s *Store) ChangeTenantRecord(name string, change func(*TenantRecord) error) error {
	key := []byte(name)
	var before TenantRecord
	read := func(tx *Tx) error {
		before = TenantRecord{Name: name}
		if text := tx.get(key, bucketTenants); text != nil {
			before = fromJSON[TenantRecord]("tenant "+name, text)
		}
		return nil
	}
	if err := s.registry.view(read); err != nil {
		return err
	}
	after := before
	if err := change(&after); err != nil || after == before {
		return err
	}
	return s.registry.update(func(tx *Tx) error {
		if err := read(tx); err != nil {
			return err
		}
		after := before
		if err := change(&after); err != nil {
			return err
		}
		return tx.putJSON(key, after, bucketTenants)
	})
}

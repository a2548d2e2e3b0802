package web

// CrowdWatchers takes all places of those who wait at a page for what happens.
func (c *Consent) CrowdWatchers() {
	for range cap(c.watchers) {
		c.watchers <- struct{}{}
	}
}

package consentweb

// CrowdWatchers takes all places of those who wait at a page for what happens.
func (c *Server) CrowdWatchers() {
	for range cap(c.watchers) {
		c.watchers <- struct{}{}
	}
}

package graphtest

func (c *call) adminConsent(tenant string) *Answer { return c.notHere() }

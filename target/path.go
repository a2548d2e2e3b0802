package target

// A Path is a SCIM attribute path as the configuration writes it, parsed.
type Path struct{ text string }

// Get returns the value at the path.
func (p Path) Get(map[string]any) any { return nil }

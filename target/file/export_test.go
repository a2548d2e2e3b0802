package file

// NewSmall is [New] with sizes at which a few lines have several blocks, tables spill and the file has an index.
func NewSmall(cfg Config) (*Adapter, error) {
	a, err := New(cfg)
	if err == nil {
		a.sizes = sizes{block: 300, fresh: 5, members: 2, indexed: 1}
	}
	return a, err
}

// Indexed reports whether the file at a path has an index that belongs to it.
func Indexed(path string) bool {
	p, err := openIndexed(path, usualSizes())
	if err == nil {
		p.close()
	}
	return err == nil
}

package streams

// Load is the number of waiting streams in a class, by weight.
type Load struct {
	// Class is known, strangers, open (calls to services that need no credential) or
	// watch (of the health).
	Class       string
	Open, Limit int
	// Refused is the number of refused streams, whatever limit they exceeded.
	Refused uint64
}

var classNames = [classes]string{ofKnown: "known", ofStrangers: "strangers", ofOpen: "open", ofWatch: "watch"}

// Load returns the load of each class.
func (g *Gate) Load() []Load {
	all := make([]Load, classes)
	for i := range g.classes {
		c := &g.classes[i]
		c.mu.Lock()
		all[i] = Load{Class: classNames[i], Open: c.open, Limit: c.limit, Refused: c.refused}
		c.mu.Unlock()
	}
	return all
}

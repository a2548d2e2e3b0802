package reconcile

// findings are what steps of a cycle find out that later steps depend on. Each is written by one step.
type findings struct {
	known    bool   // by quarantine: how the sync stood before has been read
	untimely string // by quarantine: why nothing may be removed because of a time, "" when it may
	moved    bool   // by migrateTarget: the links were looked for in another application
	kept     bool   // by take: a plan made before is applied
	kind     Cycle  // by take or draft
	all      bool   // by take or draft: everybody is evaluated, not only the pending
	clock    bool   // by draft: everybody is evaluated because time alone may have changed something
	applied  bool   // by apply
	lastHold int    // by admit: number of the newest hold before a removals cycle
}

package reconcile

// A Cycle is how much a run looked at.
type Cycle string

// The cycles of the contract.
const (
	Initial     Cycle = "initial"
	Incremental Cycle = "incremental"
	OnDemand    Cycle = "on-demand"

	RemovalsOnly Cycle = "removals" // see [Options.Removals]
)

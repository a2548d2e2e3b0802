package plan

// The spaces of a sync's scratch storage in which a plan is kept.
const (
	ActionSpace       = "plan"          // actionKey → storedAction
	SkippedSpace      = "skipped"       // pending key → Skipped
	HeldSpace         = "held"          // actionKey → storedHold
	PartHeldSpace     = "held-part"     // the same of a plan for one object, or of a what-if
	PartRejectedSpace = "rejected-part" // rejectedSpace of a plan for one object, or of a what-if
	DecisionSpace     = "answers"       // actionKey → decision
	RejectedSpace     = "rejected"      // actionKey → storedAction that is due and was rejected; kept over cycles
)

// Spaces of a sync for links that a plan does not rely on.
const (
	MismatchSpace = "mismatches" // kind, source id → mismatch; kept over cycles
	DetachedSpace = "detached"   // kind, source id: planned as if it had no link
)

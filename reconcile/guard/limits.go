package guard

// Exceeds reports whether n of total is more than the limit lets pass.
func (l Limit) Exceeds(n, total int) bool {
	if l.Count != nil && n > *l.Count {
		return true
	}
	return l.Percent != nil && (n >= Smallest || *l.Percent == 0) && float64(n)*100 > *l.Percent*float64(total)
}

// Smallest is from how many removals on a percentage counts. One leaver among five people is
// 20 percent and no accident.
const Smallest = 3

// updatesFloor is from how many linked accounts on a percentage of updates counts.
const updatesFloor = 20

// OfUpdates is the limit of updates for an application with a number of accounts. Of a few accounts any
// share is large, so a percentage other than 0 bounds nothing there; a number counts from the first
// account on.
func (l Limit) OfUpdates(accounts int) Limit {
	if l.Percent != nil && *l.Percent != 0 && accounts < updatesFloor {
		l.Percent = nil
	}
	return l
}

package reconcile

// exceeds tells whether n of total is more than a limit lets pass.
func exceeds(l Limit, n, total int) bool {
	if l.Count != nil && n > *l.Count {
		return true
	}
	return l.Percent != nil && (n >= smallest || *l.Percent == 0) && float64(n)*100 > *l.Percent*float64(total)
}

// smallest is from how many removals on a percentage counts. One leaver among five people is
// 20 percent and no accident.
const smallest = 3

// updatesFloor is from how many linked accounts on a percentage of updates counts.
const updatesFloor = 20

// ofUpdates is a limit of updates for an application with a number of accounts. Of a few accounts any
// share is large, so a percentage other than 0 bounds nothing there; a number counts from the first
// account on.
func ofUpdates(l Limit, accounts int) Limit {
	if l.Percent != nil && *l.Percent != 0 && accounts < updatesFloor {
		l.Percent = nil
	}
	return l
}

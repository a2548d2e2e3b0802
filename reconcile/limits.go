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

// adoptsTooMany tells whether adoptions that change accounts exceed a limit of updates. The first
// synchronization has no linked accounts, so a number counts from the first account on. Of a few
// accounts any share is large.
func adoptsTooMany(l Limit, n, total int) bool {
	if l.Percent != nil && *l.Percent != 0 && total < updatesFloor {
		l.Percent = nil
	}
	return exceeds(l, n, total)
}

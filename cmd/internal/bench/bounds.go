package main

import "fmt"

// bounds are what does not depend on the machine, with a margin: a change that exceeds one is a change of
// cost and not noise.
const (
	maxWrittenPerAccount = 9_000       // bytes, in a first sync
	maxMemory            = 200_000_000 // bytes, in every step
	maxIdleWritten       = 2_000_000   // bytes, in a cycle with nothing to do
	maxIdleRequests      = 40          // to Graph, in a cycle with nothing to do: assignments are read completely
	maxOfFloor           = 150.0       // CPU of a first sync
	maxOfReadFloor       = 3.0         // CPU of a first read; 1.3 to 1.4 is usual
	maxReadPerUser       = 8_000       // bytes written, in a first read
	maxUnchangedWritten  = 500_000     // bytes, in a read in which nothing has changed
	maxOfOneByOne        = 0.8         // elapsed time at the latency, of the requests one after the other
)

// exceeded returns the figures that are beyond their bounds.
func exceeded(all []figures) (errs []error) {
	beyond := func(f figures, what string, got, bound float64) {
		if got > bound {
			errs = append(errs, fmt.Errorf("%d users, %s: %s is %.0f, want at most %.0f", f.Users, f.Step, what, got, bound))
		}
	}
	var floor, readFloor figures
	for _, f := range all {
		if f.Step != stepReadFloor { // it holds the directory
			beyond(f, "memory in bytes", float64(f.MemoryBytes), maxMemory)
		}
		switch f.Step {
		case stepReadFloor:
			readFloor = f
		case stepRead:
			beyond(f, "CPU time in multiples of the floor", f.CPUSeconds/readFloor.CPUSeconds, maxOfReadFloor)
			beyond(f, "written bytes per user", float64(f.WrittenBytes)/float64(f.Users), maxReadPerUser)
		case stepReadAgain:
			beyond(f, "written bytes", float64(f.WrittenBytes), maxUnchangedWritten)
		case stepReadSlow:
			beyond(f, "elapsed milliseconds", f.Seconds*1000, maxOfOneByOne*float64(f.GraphRequests)*float64(latency.Milliseconds())+1000)
		case "floor":
			floor = f
		case "first sync":
			beyond(f, "written bytes per account", float64(f.WrittenBytes)/float64(max(1, f.Accounts)), maxWrittenPerAccount)
			beyond(f, "CPU time in multiples of the floor", f.CPUSeconds/floor.CPUSeconds, maxOfFloor)
			if f.Accounts == 0 {
				errs = append(errs, fmt.Errorf("%d users: the first sync created no account", f.Users))
			}
		case "nothing to do":
			beyond(f, "written bytes", float64(f.WrittenBytes), maxIdleWritten)
			beyond(f, "requests to Graph", float64(f.GraphRequests), maxIdleRequests)
			beyond(f, "requests to the target", float64(f.TargetRequests), 0)
		}
	}
	return errs
}

package main

import (
	"errors"
	"strings"
	"testing"
)

func TestExceeded(t *testing.T) {
	t.Parallel()
	good := []figures{
		{Users: 1000, Step: stepReadFloor, CPUSeconds: 0.1, MemoryBytes: 900_000_000},
		{Users: 1000, Step: stepRead, CPUSeconds: 0.15, WrittenBytes: 2_000_000},
		{Users: 1000, Step: stepReadAgain, CPUSeconds: 0.05, WrittenBytes: 20_000},
		{Users: 1000, Step: stepReadSlow, Seconds: 3, GraphRequests: 20},
		{Users: 1000, Step: "floor", CPUSeconds: 0.1, Accounts: 1000},
		{Users: 1000, Step: "first sync", CPUSeconds: 1, Accounts: 900, WrittenBytes: 6_000_000, MemoryBytes: 50_000_000},
		{Users: 1000, Step: "nothing to do", CPUSeconds: 0.05, GraphRequests: 4, WrittenBytes: 20_000},
	}
	if errs := exceeded(good); errs != nil {
		t.Errorf("good figures: %v", errs)
	}
	for want, spoil := range map[string]func(all []figures){
		"written bytes per account":          func(all []figures) { all[5].WrittenBytes = 90_000_000 },
		"multiples of the floor":             func(all []figures) { all[5].CPUSeconds = 60 },
		"created no account":                 func(all []figures) { all[5].Accounts = 0 },
		"first sync: memory in bytes":        func(all []figures) { all[5].MemoryBytes = 300_000_000 },
		"nothing to do: written bytes":       func(all []figures) { all[6].WrittenBytes = 9_000_000 },
		"nothing to do: requests to Graph":   func(all []figures) { all[6].GraphRequests = 900 },
		"read: CPU time":                     func(all []figures) { all[1].CPUSeconds = 0.9 },
		"read: written bytes per user":       func(all []figures) { all[1].WrittenBytes = 9_000_000 },
		"read, no change: written bytes":     func(all []figures) { all[2].WrittenBytes = 9_000_000 },
		"read at 150 ms: elapsed":            func(all []figures) { all[3].Seconds = 4 },
		"nothing to do: requests to the tar": func(all []figures) { all[6].TargetRequests = 1 },
	} {
		all := append([]figures(nil), good...)
		spoil(all)
		if err := errors.Join(exceeded(all)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

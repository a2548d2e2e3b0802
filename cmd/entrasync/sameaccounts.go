package main

import (
	"fmt"

	"entrasync/configs"
)

// checkSameAccounts refuses two target sections that lead to the same accounts. Accounts are claimed
// by section: what one tenant keeps in the first, another would take over, rename or switch off
// through the second.
func checkSameAccounts(cfg *configs.Config, syncs []*plannedSync) (faults configs.Faults) {
	first := map[string]string{}
	refused := map[string]bool{}
	w := worker{cfg: cfg}
	for _, s := range syncs {
		options, _, err := w.application(s.TargetName, s)
		if err != nil || options == nil {
			continue // said elsewhere
		}
		accounts := options.Accounts()
		other, known := first[accounts]
		switch {
		case !known:
			first[accounts] = s.TargetName
		case other != s.TargetName && !refused[s.TargetName]:
			refused[s.TargetName] = true
			section, _ := cfg.Targets.Get(s.TargetName)
			faults = append(faults, configs.Fault{Position: section.Pos, Key: "targets." + s.TargetName,
				Message: fmt.Sprintf("target %s leads to the same accounts as target %s: the same address with the same credential", s.TargetName, other),
				Hint:    fmt.Sprintf("write the syncs to one of them (to: %s), so that no account is kept twice", other)})
		}
	}
	return faults
}

package state

import (
	"strings"

	"entrasync/graphsync"
	"entrasync/state/sealed"
)

// In an encrypted state values are encrypted, and the parts of keys that are ids of accounts, which some applications make
// of mail addresses, and digests of matching values, with which a guess could be confirmed. What stays readable are
// names of syncs and targets, ids of directory objects, kinds, times, numbers, and the names of attributes.

// idSize is the length of the id of a directory object, and of the shorter digests.
const idSize = len(graphsync.ID{})

// digestSize is the length of the longer digests.
const digestSize = 32

// registryRules are the rules of the registry's buckets.
var registryRules = map[string]sealed.Rule{
	bucketOwners: {Hides: true, Name: true},
	bucketGiven:  {Hides: true, Name: true},
	bucketMaking: {Hides: true, Part: digestSize},
}

// syncRules are the rules of the buckets of a sync.
var syncRules = map[string]sealed.Rule{
	inTargets: {Hides: true, Keep: 1},
	inKeys:    {Hides: true, Keep: 1, Part: idSize},
}

// spaceRules are the rules of a sync's spaces, whose keys package reconcile makes.
var spaceRules = map[string]sealed.Rule{
	"accounts":      {Hides: true},
	"aside":         {Hides: true, Keep: 1 + idSize},
	"broken-links":  {Hides: true, Keep: 1 + idSize},
	"claims":        {Hides: true},
	"current":       {Hides: true, Keep: idSize},
	"freed":         {Hides: true},
	"index":         {Hides: true, Part: digestSize, Both: true},
	"listing":       {Hides: true},
	"orphans":       {Hides: true, Keep: idSize},
	"orphans-found": {Hides: true, Keep: idSize},
	"orphans-value": {Hides: true, Part: digestSize, Both: true},
	"wanted":        {Hides: true, Tail: idSize},
}

// hiddenKeys returns what is hidden of the keys of a bucket.
func hiddenKeys(path string) sealed.Rule {
	outer, rest, nested := strings.Cut(path, "\x00")
	if !nested {
		return registryRules[outer]
	}
	if outer != bucketSyncs {
		return sealed.Rule{}
	}
	_, rest, _ = strings.Cut(rest, "\x00") // behind the name of the sync
	if space, in := strings.CutPrefix(rest, inSpaces+"\x00"); in {
		return spaceRules[space]
	}
	return syncRules[rest]
}

// ofRegistry and ofTenant bind what is encrypted to a database.
var ofRegistry = sealed.Of{Kind: registrySchema.Kind}

func ofTenant(id graphsync.ID) sealed.Of {
	return sealed.Of{Kind: tenantSchema.Kind, ID: id.String()}
}

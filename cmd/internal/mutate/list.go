package main

import "slices"

// A fault is a mutation within one file: an id, what goes wrong in words, the text as it is, once
// in the file, and the text with the fault.
type fault struct{ id, what, old, new string }

// in makes mutations of the faults in one file.
func in(file string, faults ...fault) []mutation {
	list := make([]mutation, 0, len(faults))
	for _, f := range faults {
		list = append(list, mutation{id: f.id, fault: f.what, file: file, old: f.old, new: f.new})
	}
	return list
}

// allMutations is the whole list, in the order of the pipeline.
func allMutations() []mutation {
	return slices.Concat(pulling, planning, guarding, matching, linking, undoing, notifying, locating, writing, recording, keeping, transporting, messaging, databases, directories, provisioning, answering)
}

package main

import "slices"

// A fault is a mutation within one file: an id, what goes wrong in words, the text as it is, once
// in the file, and the text with the fault.
type fault struct{ id, what, old, new string }

// in makes mutations of the faults in one file.
func in(file string, faults ...fault) []mutation {
	list := make([]mutation, 0, len(faults))
	for _, f := range faults {
		list = append(list, mutation{id: f.id, fault: f.what, file: file, old: f.old, new: f.new, own: slices.Contains(ownPackage, f.id)})
	}
	return list
}

// ownPackage are the faults that tests of their own package have been seen to notice: samples are
// drawn from them, because histories and stories take minutes for each fault.
var ownPackage = []string{
	"ADM2", "APL1", "APV1", "CMP1", "CRE2", "CRE3", "GRD17", "GRD18", "IDN8", "LIS3", "LOC1", "MAT1", "MAT2", "MAT4", "MAT6",
	"OBJ1", "OBJ2", "PAG1", "PAG2", "PAG3", "PAG4", "PAG5", "PAG7", "PAG8", "PAG9", "PUL2", "RCD1", "RCD2", "RCL2", "REC1",
	"REC2", "REV1", "REV3", "REV5", "SET2", "STD23", "STD3", "STD4", "SUR2", "TRA1", "TRA2", "WCO4", "WRT3", "WRT5",
}

// allMutations is the whole list, in the order of the pipeline.
func allMutations() []mutation {
	return slices.Concat(pulling, planning, guarding, matching, locating, writing, recording, keeping, transporting, provisioning, answering)
}

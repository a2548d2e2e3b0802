// Package snapshot keeps the copy of a tenant's directory that every decision is made from: it reads users,
// groups with their members, and the assignments of an enterprise application from Graph, page by page, and
// commits each page as it comes.
//
// It decides nothing about accounts. It knows no application, no mapping and no scope; what the syncs of a
// tenant need to have read is given to it as [Requirements]. What changes is marked as pending for each
// of these syncs.
//
// It promises that an object or a membership is removed only after a direct answer of Graph, never because a
// list was shorter than before; that a cursor never runs ahead of the pages it stands for, so that a read that
// was killed resumes where it stopped; that a round that never ends is noticed; and that a cycle in which
// nothing changed sends one request for each list and writes nothing.
package snapshot

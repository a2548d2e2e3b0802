// Package structure guards the shape of the project: who may import whom, that every package
// says what it is, and that no package is a drawer for odds and ends. It holds a test and no
// code; the table in structure_test.go is the architecture, and a new package needs a row there.
package structure

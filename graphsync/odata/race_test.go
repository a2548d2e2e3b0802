//go:build race

package odata_test

// poolLoss is how many times as much is allocated where the race detector is on: it makes sync.Pool
// drop what it was given at random.
const poolLoss = 4
